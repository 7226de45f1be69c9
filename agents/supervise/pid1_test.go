package supervise

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/gantry-orchestrator/gantry/model"
)

// asPID1 starts a supervisor as the first process of a pid namespace and
// returns its pid out here.
func asPID1(t *testing.T, dir string, env ...string) (c *Client, pid int, ended <-chan error) {
	t.Helper()
	rootOnly(t)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("unshare", "--pid", "--fork", "--mount-proc", "--kill-child", exe)
	cmd.Env = append(os.Environ(), append(env, "SUPERVISE_TEST_DIR="+dir)...)
	if err := cmd.Start(); err != nil {
		t.Skip("no unshare here: ", err)
	}
	over := make(chan error, 1)
	go func() { over <- cmd.Wait() }()
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	c = connect(t, dir)
	for _, s := range allStats() {
		if s.Parent == cmd.Process.Pid {
			return c, s.PID, over
		}
	}
	t.Fatal("no child of unshare")
	return nil, 0, nil
}

func TestAsPID1ItKeepsTheAgentAndReapsOrphans(t *testing.T) {
	dir := shortDir(t)
	parents := filepath.Join(dir, "parents")
	c, pid, ended := asPID1(t, dir, "SUPERVISE_TEST_AGENT="+parents)
	agent := until(t, c, "agent", "runs", func(p Process) bool { return p.State == Running })
	if got := untilFile(t, parents, func(s string) bool { return s != "" }); got != "1\n" {
		t.Errorf("the agent's parent is %q", got)
	}
	for what, err := range map[string]error{
		"stop": second(c.Stop(t.Context(), "agent")), "start": second(c.Start(t.Context(), shell("agent", "true"))),
		"remove": c.Remove(t.Context(), "agent"),
	} {
		if !errors.Is(err, model.ErrDenied) {
			t.Errorf("%s of the agent: %v", what, err)
		}
	}
	done := filepath.Join(dir, "done")
	mustStart(t, c, shell("orphans", `for i in 1 2 3 4 5 6 7 8; do (setsid sh -c "echo $i >> `+done+`" &); done; exec sleep 1000`))
	untilFile(t, done, func(s string) bool { return strings.Count(s, "\n") == 8 })
	mustStart(t, c, shell("killer", "kill -9 "+itoa(agent.PID)+"; exec sleep 1000"))
	until(t, c, "agent", "runs again", func(p Process) bool { return p.State == Running && p.Restarts == 1 })
	untilChildren(t, pid, 3)

	for _, sig := range []syscall.Signal{syscall.SIGHUP, syscall.SIGTERM} {
		if err := syscall.Kill(pid, sig); err != nil {
			t.Fatal(err)
		}
	}
	if err := <-ended; err != nil {
		t.Errorf("PID 1 ended with %v", err)
	}
}

// untilChildren waits until pid has n children, none of them a zombie.
func untilChildren(t *testing.T, pid, n int) {
	t.Helper()
	untilFile(t, os.DevNull, func(string) bool {
		living := 0
		for _, s := range allStats() {
			if s.Parent != pid {
				continue
			}
			if s.Zombie {
				return false
			}
			living++
		}
		return living == n
	})
}

func second[T any](_ T, err error) error { return err }
