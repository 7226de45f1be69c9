package host_test

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gantry-orchestrator/gantry/charms/host"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// waitForPID reads a process id once a call has written it.
func waitForPID(t *testing.T, file string) int {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if b, err := os.ReadFile(file); err == nil && len(b) > 0 {
			pid, err := strconv.Atoi(string(b))
			if err != nil {
				t.Fatal(err)
			}
			return pid
		}
	}
	t.Fatal("the call did not start its child")
	return 0
}

// running reports whether a process exists and is no zombie.
func running(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, after, _ := strings.Cut(string(b), ") ")
	return !strings.HasPrefix(after, "Z")
}

// publicDir is a directory that every user may enter, with a name that is
// short enough for a socket's path; t.TempDir's is neither.
func publicDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "gantry-host")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// reachableCopy is the test binary where every user may execute it.
func reachableCopy(t *testing.T) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(publicDir(t), "charm")
	if err := os.WriteFile(to, b, 0o755); err != nil {
		t.Fatal(err)
	}
	return to
}

func newHost(t testing.TB) *host.Host {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return hostOf(t, self)
}

// hostOf is a host whose charms are all one binary; once closed, it must have
// left nothing in its directory.
func hostOf(t testing.TB, binary string) *host.Host {
	t.Helper()
	dir := publicDir(t)
	h, err := host.New(host.Config{
		Resolve: func(effect.Charm) ([]string, error) { return []string{binary, "charm-exec"}, nil },
		Dir:     dir,
		Log:     slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		h.Close()
		if left, _ := os.ReadDir(dir); len(left) > 0 {
			t.Errorf("left in the socket directory: %v", left)
		}
	})
	return h
}
