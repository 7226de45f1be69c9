package process

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func start(t *testing.T) (Identity, *exec.Cmd) {
	t.Helper()
	cmd := exec.Command("sleep", "1000")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _, _ = cmd.Process.Wait() })
	id, err := Of(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	return id, cmd
}

func TestAProcessIsAliveUntilItEnds(t *testing.T) {
	id, _ := start(t)
	if !id.Alive() {
		t.Error("it is said to be dead")
	}
	if err := id.Signal(unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := id.Wait(t.Context()); err != nil || id.Alive() {
		t.Errorf("after a kill and a wait (%v) it is said to be alive", err)
	}
	if err := id.Signal(unix.SIGKILL); err != nil {
		t.Errorf("a signal to one that ended gave %v", err)
	}
}

func TestAnotherProcessOfTheSameNumberIsNotIt(t *testing.T) {
	id, _ := start(t)
	for rule, other := range map[string]Identity{
		"started at another time": {PID: id.PID, Start: id.Start + 1, Boot: id.Boot},
		"of another boot":         {PID: id.PID, Start: id.Start, Boot: "other"},
		"no process":              {},
	} {
		if other.Alive() {
			t.Errorf("%s: said to be alive", rule)
		}
		if err := other.Signal(unix.SIGKILL); err != nil {
			t.Errorf("%s: %v", rule, err)
		}
	}
	if !id.Alive() {
		t.Error("a signal to another reached it")
	}
}

func TestWaitEndsWithItsContext(t *testing.T) {
	id, _ := start(t)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	if err := id.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("wait gave %v", err)
	}
}

func TestTerminateWaitsUntilTheSignalIsHandledAtMostUntilItsContextEnds(t *testing.T) {
	self, err := Of(os.Getpid())
	if err != nil || !self.handles(unix.SIGTERM) || self.handles(unix.SIGKILL) {
		t.Errorf("of this process (%v), which Go's runtime gives handlers: TERM %v, KILL %v", err, self.handles(unix.SIGTERM), self.handles(unix.SIGKILL))
	}
	id, _ := start(t)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	if err := id.Terminate(ctx); err != nil {
		t.Fatal(err)
	}
	if err := id.Wait(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestTheEnvironmentOfAProcessThatExecsOverAndOverIsAlwaysSeen(t *testing.T) {
	again := `[ "$1" = 0 ] && exec sleep 1000; exec sh -c "$0" "$0" $(($1 - 1))`
	cmd := exec.Command("sh", "-c", again, again, "300")
	cmd.Env = []string{"MARK=ours", "PATH=" + os.Getenv("PATH")}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	for looks := 0; ; looks++ {
		environ, err := Environ(cmd.Process.Pid)
		if err != nil || !slices.Contains(environ, "MARK=ours") {
			t.Fatalf("look %d: %q, %v", looks, environ, err)
		}
		if line, _ := os.ReadFile("/proc/" + strconv.Itoa(cmd.Process.Pid) + "/comm"); string(line) == "sleep\n" {
			break
		}
	}
}
