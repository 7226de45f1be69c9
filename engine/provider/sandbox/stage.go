package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"

	"golang.org/x/sys/unix"
)

// The names under which this binary is run again, each for one stage.
const (
	stageMachine = "gantry-machine" // becomes the first process of a machine
	stageBuild   = "gantry-build"   // builds a layer in a private root
	stageExec    = "gantry-exec"    // runs a command in a machine
)

// Descriptors of a stage: its orders come in on one, and what went wrong goes
// out on the other, which closes when the stage is over.
const (
	ordersFD = 3
	resultFD = 4
)

var stages = map[string]func(json.RawMessage) error{
	stageMachine: func(m json.RawMessage) error { return ordered(m, runMachine) },
	stageBuild:   func(m json.RawMessage) error { return ordered(m, runBuild) },
	stageExec:    func(m json.RawMessage) error { return ordered(m, runExec) },
}

func ordered[T any](raw json.RawMessage, run func(T) error) error {
	var orders T
	if err := json.Unmarshal(raw, &orders); err != nil {
		return fmt.Errorf("read orders: %w", err)
	}
	return run(orders)
}

// Init does not return where this process is a stage of a machine. A main that
// makes machines calls it before anything else, as does a TestMain.
func Init() {
	stage, ok := stages[os.Args[0]]
	if !ok {
		return
	}
	// Namespaces belong to threads: stay on the first, which exec replaces.
	runtime.LockOSThread()
	unix.CloseOnExec(ordersFD)
	unix.CloseOnExec(resultFD)
	raw, err := io.ReadAll(os.NewFile(ordersFD, "orders"))
	if err != nil || len(raw) == 0 {
		os.Exit(1) // who began this machine is gone
	}
	err = stage(raw)
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		os.Exit(exit.ExitCode())
	}
	if err != nil {
		_, _ = os.NewFile(resultFD, "result").WriteString(err.Error())
		os.Exit(1)
	}
	os.Exit(0)
}

// child is a stage that was started and waits for its orders.
type child struct {
	cmd            *exec.Cmd
	orders, result *os.File
}

// spawn starts a stage. Where this process dies before it gives orders, the
// stage ends by itself.
func spawn(stage string, configure func(*exec.Cmd)) (*child, error) {
	ordersOut, ordersIn, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", stage, err)
	}
	resultOut, resultIn, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", stage, errors.Join(err, ordersOut.Close(), ordersIn.Close()))
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Args = []string{stage}
	cmd.ExtraFiles = []*os.File{ordersOut, resultIn}
	configure(cmd)
	err = cmd.Start()
	_ = ordersOut.Close()
	_ = resultIn.Close()
	c := &child{cmd: cmd, orders: ordersIn, result: resultOut}
	if err != nil {
		c.abandon()
		return nil, fmt.Errorf("start %s: %w", stage, err)
	}
	return c, nil
}

// command gives the stage its orders and returns once it became another
// program, or ended; what went wrong is the error.
func (c *child) command(orders any) error {
	err := json.NewEncoder(c.orders).Encode(orders)
	if err = errors.Join(err, c.orders.Close()); err != nil {
		return fmt.Errorf("give orders: %w", err)
	}
	text, err := io.ReadAll(c.result)
	if err = errors.Join(err, c.result.Close()); err != nil {
		return fmt.Errorf("read result: %w", err)
	}
	if len(text) > 0 {
		return errors.New(string(text))
	}
	return nil
}

// abandon lets the stage end by itself.
func (c *child) abandon() {
	_ = c.orders.Close()
	_ = c.result.Close()
}

const searchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// environ is what the first process of a machine and commands in it start with.
func environ(extra ...string) []string {
	return slices.Concat([]string{
		"PATH=" + searchPath, "HOME=/root", "USER=root", "LANG=C.UTF-8", "container=gantry",
	}, extra)
}
