package supervise

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// The test binary is also the stage, and a supervisor to be killed.
func TestMain(m *testing.M) {
	RunStage()
	if socket := os.Getenv("SUPERVISE_TEST_DIAL"); socket != "" {
		if _, err := Dial(socket).List(context.Background()); err != nil {
			fmt.Println(err)
		} else {
			fmt.Println("let in")
		}
		os.Exit(0)
	}
	if dir := os.Getenv("SUPERVISE_TEST_DIR"); dir != "" {
		c := testConfig(dir)
		c.Executable = os.Getenv("SUPERVISE_TEST_EXECUTABLE")
		c.Logger = slog.New(slog.NewTextHandler(os.Stderr, nil))
		if out := os.Getenv("SUPERVISE_TEST_AGENT"); out != "" {
			c.Agent = &Spec{ID: "agent", Command: []string{"sh", "-c", "echo $PPID >> " + out + "; exec sleep 1000"}, Backoff: quick}
		}
		if err := Run(context.Background(), c); err != nil {
			slog.Error("run", "error", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

var quick = Backoff{Min: time.Millisecond, Max: 5 * time.Millisecond}

const patience = 30 * time.Second

func testConfig(dir string) Config {
	return Config{
		Dir: dir, LogInterval: 2 * time.Millisecond,
		Jitter: func() float64 { return 0.5 },
		Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
}

// shortDir is a temporary directory whose name leaves room for a socket.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "sup")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// supervisorIn runs a supervisor in this process until the test ends.
func supervisorIn(t *testing.T, c Config) *Client {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- Run(ctx, c) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("the supervisor ended with %v", err)
			}
		case <-time.After(patience):
			t.Error("the supervisor does not end")
		}
	})
	return connect(t, c.Dir)
}

// connect returns when the supervisor of dir answers.
func connect(t *testing.T, dir string) *Client {
	t.Helper()
	client := Dial(filepath.Join(dir, "run", "socket"))
	deadline := time.After(patience)
	for {
		if _, err := client.List(t.Context()); err == nil {
			return client
		}
		select {
		case <-deadline:
			t.Fatal("the supervisor does not answer")
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// daemon is a supervisor in a process of its own.
type daemon struct {
	dir string
	cmd *exec.Cmd
}

func startDaemon(t *testing.T, dir string, env ...string) *daemon {
	t.Helper()
	return startDaemonAs(t, dir, []string{"/proc/self/exe"}, env...)
}

// startDaemonAs starts it through another command.
func startDaemonAs(t *testing.T, dir string, command []string, env ...string) *daemon {
	t.Helper()
	d := &daemon{dir, exec.Command(command[0], command[1:]...)}
	d.cmd.Env = append(os.Environ(), append(env, "SUPERVISE_TEST_DIR="+dir)...)
	d.cmd.Stderr = os.Stderr
	if !testing.Verbose() {
		d.cmd.Stderr = nil
	}
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.end(syscall.SIGTERM) })
	return d
}

func (d *daemon) end(sig syscall.Signal) {
	if d.cmd.ProcessState == nil {
		_ = d.cmd.Process.Signal(sig)
		_ = d.cmd.Wait()
	}
}

// until returns the service as soon as it is as wanted.
func until(t *testing.T, c *Client, id, what string, ok func(Process) bool) Process {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var last Process
	for e, err := range c.Watch(ctx) {
		if err != nil {
			t.Fatalf("waiting until %s %s: %v; last seen %+v", id, what, err, last)
		}
		if e.Process.ID != id || e.Removed {
			continue
		}
		if last = e.Process; ok(last) {
			return last
		}
	}
	panic("unreachable: Watch ends with an error")
}

func mustStart(t *testing.T, c *Client, s Spec) Process {
	t.Helper()
	p, err := c.Start(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func shell(id, script string) Spec {
	return Spec{ID: id, Command: []string{"sh", "-c", script}, Backoff: quick}
}

// untilFile returns the file's text once ok says so.
func untilFile(t *testing.T, path string, ok func(string) bool) string {
	t.Helper()
	deadline := time.After(patience)
	for {
		b, _ := os.ReadFile(path)
		if ok(string(b)) {
			return string(b)
		}
		select {
		case <-deadline:
			t.Fatalf("%s holds %q", path, b)
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// running says whether a process exists and is no zombie.
func running(pid int) bool {
	s, err := readStat(pid)
	return err == nil && !s.Zombie
}

func rootOnly(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: cgroups, namespaces or another user")
	}
}

func atoi(t *testing.T, s string) int {
	t.Helper()
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func itoa(n int) string { return strconv.Itoa(n) }
