package perform

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// Command is a process to run to its end: values, secrets filled in.
type Command struct {
	Argv  []string
	Env   map[string]string // besides PATH, HOME and LANG
	Stdin []byte
	User  string // empty: the agent's own
	Dir   string
	// Keep, unless nil, holds the outcome: the process is then not killed when
	// the agent dies.
	Keep *Outcome
}

// Output is what a process left. Each stream holds its last bytes, at most
// maxOutput of them.
type Output struct {
	Code           int
	Stdout, Stderr string
	// Wrote are the bytes that the process wrote to each stream, the kept ones
	// among them.
	Wrote struct{ Stdout, Stderr int64 }
}

// Truncated says what of the streams was not kept; empty where all was.
func (o Output) Truncated() string {
	var cut []string
	for _, stream := range []struct {
		name  string
		wrote int64
	}{{"output", o.Wrote.Stdout}, {"error output", o.Wrote.Stderr}} {
		if stream.wrote > maxOutput {
			cut = append(cut, fmt.Sprintf("%s cut at 256 KiB of %d bytes: its end is kept", stream.name, stream.wrote))
		}
	}
	return strings.Join(cut, ", ")
}

const maxOutput = 256 << 10

// Run runs the command until its end or ctx's, at which its whole process
// group is killed. A nonzero exit code is no error.
func (c Command) Run(ctx context.Context) (Output, error) {
	if len(c.Argv) == 0 {
		return Output{}, fmt.Errorf("run an empty command: %w", model.ErrInvalid)
	}
	who, err := lookup(c.User, "")
	if err != nil {
		return Output{}, err
	}
	credential, err := who.credential()
	if err != nil {
		return Output{}, fmt.Errorf("run %s: %w", c.Argv[0], err)
	}
	cmd := exec.CommandContext(ctx, c.Argv[0], c.Argv[1:]...)
	cmd.Env = Environment(c.Env, c.User)
	cmd.Dir = c.Dir
	if c.Dir == "" {
		cmd.Dir = "/"
	}
	cmd.Stdin = strings.NewReader(string(c.Stdin))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: credential}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	var out Output
	if c.Keep != nil {
		out, err = c.Keep.run(cmd)
	} else {
		out, err = runAttached(cmd)
	}
	if ctx.Err() != nil {
		return out, fmt.Errorf("run %s: stopped after its time: %w", c.Argv[0], ctx.Err())
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) && !errors.Is(err, exec.ErrWaitDelay) {
		return out, fmt.Errorf("run %s: %w: %w", c.Argv[0], err, model.ErrInvalid)
	}
	return out, nil
}

// runAttached runs a process that ends with the agent.
func runAttached(cmd *exec.Cmd) (Output, error) {
	var stdout, stderr tail
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	// The process dies with the agent, so that what is run again after a
	// crash never runs twice at once. The kernel ties that to the thread that
	// forks, which must therefore outlive the process.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	err := cmd.Run()
	out := Output{Code: cmd.ProcessState.ExitCode(), Stdout: stdout.String(), Stderr: stderr.String()}
	out.Wrote.Stdout, out.Wrote.Stderr = stdout.wrote, stderr.wrote
	return out, err
}

func searchPath() string {
	if path := os.Getenv("PATH"); path != "" {
		return path
	}
	return "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
}

// failure turns a nonzero exit into an error that ends with what the process
// said last.
func (o Output) failure(what string) error {
	if o.Code == 0 {
		return nil
	}
	said := strings.TrimSpace(o.Stderr)
	if said == "" {
		said = strings.TrimSpace(o.Stdout)
	}
	const most = 600
	if len(said) > most {
		said = "... " + said[len(said)-most:]
	}
	return fmt.Errorf("%s: exit code %d: %s", what, o.Code, said)
}

// commandOf fills the secrets into an Exec that is a command.
func commandOf(ctx context.Context, secrets Secrets, x effect.Exec) (Command, error) {
	env, err := renderAll(ctx, secrets, x.Env)
	if err != nil {
		return Command{}, fmt.Errorf("environment: %w", err)
	}
	stdin, err := Render(ctx, secrets, x.Stdin)
	if err != nil {
		return Command{}, fmt.Errorf("standard input: %w", err)
	}
	return Command{Argv: x.Command, Env: env, Stdin: stdin, User: x.User, Dir: x.Dir}, nil
}

// tail keeps the last maxOutput bytes that were written to it.
type tail struct {
	kept  []byte
	wrote int64
}

// Write implements io.Writer.
func (t *tail) Write(p []byte) (int, error) {
	t.wrote += int64(len(p))
	t.kept = append(t.kept, p...)
	if len(t.kept) > 2*maxOutput {
		t.kept = append([]byte(nil), t.kept[len(t.kept)-maxOutput:]...)
	}
	return len(p), nil
}

// String is what was kept.
func (t *tail) String() string {
	return string(t.kept[max(0, len(t.kept)-maxOutput):])
}

// Environment is the whole environment of a process that runs as a user, as
// sorted KEY=value: its own variables, and PATH, HOME and LANG where they are
// not among them.
func Environment(own map[string]string, user string) []string {
	env := map[string]string{"PATH": searchPath(), "LANG": "C.UTF-8"}
	if who, err := lookup(user, ""); err == nil && who.Home != "" {
		env["HOME"] = who.Home
	}
	maps.Copy(env, own)
	list := make([]string, 0, len(env))
	for name, value := range env {
		list = append(list, name+"="+value)
	}
	slices.Sort(list)
	return list
}
