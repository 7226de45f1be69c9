package host

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/gantry-orchestrator/gantry/charms/sdk/plugin"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// searchPath is where calls and actions find programs.
const searchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// maxStderr is how much of what a failed process printed goes into its error.
const maxStderr = 2048

// Call runs a call of a charm in a process of its own as a user, "" for the
// agent's own, and kills it with its process group when ctx is done. The
// invocation, which may hold secrets, goes through a pipe.
func (h *Host) Call(ctx context.Context, c effect.Charm, asUser string, call effect.Invocation) (string, error) {
	return h.CallKept(ctx, c, asUser, call, output)
}

// CallKept runs a call as Call does, but has run run its process, which is to
// return what that printed.
func (h *Host) CallKept(ctx context.Context, c effect.Charm, asUser string, call effect.Invocation, run func(*exec.Cmd) ([]byte, error)) (string, error) {
	r, err := h.invoke(ctx, c, asUser, "call", call, run)
	return r.Value, err
}

// CallResult is the result of a call that printed this.
func (h *Host) CallResult(printed []byte) (string, error) {
	var r plugin.Result
	if err := json.Unmarshal(printed, &r); err != nil {
		return "", fmt.Errorf("a call gave no result: %w: %w", err, model.ErrInvalid)
	}
	if r.Error != "" {
		return "", errors.New(r.Error)
	}
	return r.Value, nil
}

func output(cmd *exec.Cmd) ([]byte, error) { return cmd.Output() }

// RunAction runs an action of a charm as Call runs a call.
func (h *Host) RunAction(ctx context.Context, c effect.Charm, asUser string, action effect.Invocation) (map[string]string, error) {
	r, err := h.invoke(ctx, c, asUser, "action", action, output)
	return r.Output, err
}

func (h *Host) invoke(ctx context.Context, c effect.Charm, asUser, kind string, inv effect.Invocation, run func(*exec.Cmd) ([]byte, error)) (plugin.Result, error) {
	fail := func(err error) (plugin.Result, error) {
		return plugin.Result{}, fmt.Errorf("%s %s of charm %s on %s: %w", kind, inv.Name, c.Name, inv.Input.Spec.Unit, err)
	}
	command, err := h.cfg.Resolve(c)
	if err != nil {
		return fail(err)
	}
	stdin, err := json.Marshal(inv)
	if err != nil {
		return fail(fmt.Errorf("encode the invocation: %w", err))
	}
	cmd, err := commandAs(ctx, asUser, slices.Concat(command, []string{kind, inv.Name}))
	if err != nil {
		return fail(err)
	}
	stderr := tail{max: maxStderr}
	cmd.Stdin, cmd.Stderr = bytes.NewReader(stdin), &stderr
	stdout, runErr := run(cmd)
	if ctx.Err() != nil {
		return fail(fmt.Errorf("it was killed: %w", ctx.Err()))
	}
	var r plugin.Result
	if err := json.Unmarshal(stdout, &r); err != nil {
		return fail(fmt.Errorf("it gave no result (%v): %s", runErr, stderr.text()))
	}
	if r.Error != "" {
		return fail(errors.New(r.Error))
	}
	return r, nil
}

// commandAs is a command that runs as a user, in a session of its own that
// goes with it.
func commandAs(ctx context.Context, name string, argv []string) (*exec.Cmd, error) {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	cmd.Env = []string{"PATH=" + searchPath, "LANG=C.UTF-8", "HOME=/"}
	if name == "" {
		return cmd, nil
	}
	u, err := user.Lookup(name)
	if err != nil {
		return nil, fmt.Errorf("run as %s: %w: %w", name, err, model.ErrNotFound)
	}
	cmd.Env = append(cmd.Env[:2:2], "HOME="+u.HomeDir, "USER="+name, "LOGNAME="+name)
	if os.Geteuid() != 0 {
		return cmd, asMyself(u)
	}
	cmd.SysProcAttr.Credential, err = credential(u)
	return cmd, err
}

func asMyself(u *user.User) error {
	if u.Uid != strconv.Itoa(os.Geteuid()) {
		return fmt.Errorf("run as %s: the agent is not root: start it as root, or as %s: %w", u.Username, u.Username, model.ErrDenied)
	}
	return nil
}

func credential(u *user.User) (*syscall.Credential, error) {
	ids, err := u.GroupIds()
	if err != nil {
		return nil, fmt.Errorf("look up the groups of %s: %w", u.Username, err)
	}
	numbers := make([]uint32, 0, len(ids)+2)
	for _, id := range slices.Concat([]string{u.Uid, u.Gid}, ids) {
		n, err := strconv.ParseUint(id, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("look up %s: %w", u.Username, err)
		}
		numbers = append(numbers, uint32(n))
	}
	return &syscall.Credential{Uid: numbers[0], Gid: numbers[1], Groups: numbers[2:]}, nil
}

// tail keeps the last bytes that are written to it.
type tail struct {
	max  int
	kept []byte
}

// Write implements io.Writer.
func (t *tail) Write(p []byte) (int, error) {
	t.kept = append(t.kept, p...)
	if over := len(t.kept) - t.max; over > 0 {
		t.kept = slices.Clone(t.kept[over:])
	}
	return len(p), nil
}

func (t *tail) text() string { return strings.TrimSpace(string(t.kept)) }
