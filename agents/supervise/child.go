package supervise

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/gantry-orchestrator/gantry/model"
)

// Between fork and exec a service is a second run of this same binary, the
// stage. It waits for its order; the supervisor sends that only when the new
// process's identity is on disk and its cgroup holds it. A supervisor that dies
// before leaves a stage that reads end of file and ends. The stage keeps its
// pid and start time through exec, so it is the service.

// stageName is the argv[0] by which the binary knows that it is the stage.
const stageName = "gantry-service"

// The stage's files besides the standard three.
const (
	orderFD  = 3 // reads one order
	reportFD = 4 // writes one report when exec fails; closed by exec
)

type order struct {
	Command []string `json:"command"`
	Env     []string `json:"env"`
	Dir     string   `json:"dir"`
	Account *account `json:"account"`
	Files   uint64   `json:"files"`
}

// report is what the stage says: what it lacks, and why it could not become
// the service.
type report struct {
	Lacking []string `json:"lacking,omitempty"`
	Error   string   `json:"error,omitempty"`
}

// RunStage must be the first call of every main that runs a supervisor. It
// returns at once, unless this process was forked to become a service: then it
// never returns.
func RunStage() {
	if len(os.Args) != 1 || os.Args[0] != stageName {
		return
	}
	in, out := os.NewFile(orderFD, "order"), os.NewFile(reportFD, "report")
	unix.CloseOnExec(orderFD)
	unix.CloseOnExec(reportFD)
	var o order
	if err := json.NewDecoder(in).Decode(&o); err != nil {
		os.Exit(1) // the supervisor died before it meant us to run
	}
	say := json.NewEncoder(out)
	if err := o.run(func(lack string) { _ = say.Encode(report{Lacking: []string{lack}}) }); err != nil {
		_ = say.Encode(report{Error: err.Error()})
	}
	os.Exit(127)
}

// run becomes the service, or returns why it cannot.
func (o order) run(lack func(string)) error {
	syscall.Umask(0o022)
	if o.Files > 0 {
		setFiles(o.Files, lack)
	}
	if a := o.Account; a != nil {
		if err := a.become(); err != nil {
			return err
		}
	}
	if err := os.Chdir(o.Dir); err != nil {
		return err
	}
	path, err := lookPath(o.Command[0], o.Env)
	if err != nil {
		return err
	}
	if err := syscall.Exec(path, o.Command, o.Env); err != nil {
		return fmt.Errorf("run %s: %w", path, err)
	}
	return nil
}

// setFiles sets the number of open files. Beyond the hard limit it needs a
// privilege; without it the hard limit is what there is.
func setFiles(n uint64, lack func(string)) {
	if syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: n, Max: n}) == nil {
		return
	}
	var have syscall.Rlimit
	err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &have)
	if err == nil {
		have.Cur = min(n, have.Max)
		err = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &have)
	}
	if err != nil || have.Cur < n {
		lack(fmt.Sprintf("open files: %d wanted, %d allowed; raise the hard limit of the supervisor", n, have.Cur))
	}
}

func (a *account) become() error {
	if err := syscall.Setgroups(a.Groups); err != nil {
		return fmt.Errorf("set groups: %w", err)
	}
	if err := syscall.Setgid(a.GID); err != nil {
		return fmt.Errorf("set group %d: %w", a.GID, err)
	}
	if err := syscall.Setuid(a.UID); err != nil {
		return fmt.Errorf("set user %d: %w", a.UID, err)
	}
	return nil
}

const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// lookPath finds a program in the PATH of the service, not of the supervisor.
func lookPath(name string, env []string) (string, error) {
	if strings.Contains(name, "/") {
		return name, nil
	}
	path := defaultPath
	for _, kv := range env {
		if v, ok := strings.CutPrefix(kv, "PATH="); ok {
			path = v
		}
	}
	for _, dir := range filepath.SplitList(path) {
		full := filepath.Join(dir, name)
		if info, err := os.Stat(full); err == nil && info.Mode().IsRegular() && unix.Access(full, unix.X_OK) == nil {
			return full, nil
		}
	}
	return "", fmt.Errorf("find %s in %s: %w", name, path, model.ErrNotFound)
}
