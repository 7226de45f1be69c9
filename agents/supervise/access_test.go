package supervise

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

const nobody = 65534

func TestSocketRefusesAnotherUser(t *testing.T) {
	rootOnly(t)
	dir := shortDir(t)
	supervisorIn(t, testConfig(dir))
	socket := filepath.Join(dir, "run", "socket")
	if info, err := os.Stat(filepath.Dir(socket)); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the socket's directory has mode %v, %v", info.Mode(), err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if got := dialAs(t, socket, nobody); !strings.Contains(got, "permission denied") {
		t.Errorf("through the directory, another user got %q", got)
	}
	// Even where the directory lets others in, the supervisor does not.
	for path, mode := range map[string]os.FileMode{filepath.Dir(socket): 0o755, socket: 0o777} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	if got := dialAs(t, socket, nobody); !strings.Contains(got, "user 65534") || !strings.Contains(got, "denied") {
		t.Errorf("by the socket, another user got %q", got)
	}
	if got := dialAs(t, socket, 0); got != "let in" {
		t.Errorf("root got %q", got)
	}
}

// dialAs asks for the list as another user, and returns the error's text.
func dialAs(t *testing.T, socket string, uid uint32) string {
	t.Helper()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = []string{"SUPERVISE_TEST_DIAL=" + socket}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return string(bytes.TrimSpace(out))
}

func TestServiceRunsAsItsUserAndMayReopenItsLog(t *testing.T) {
	rootOnly(t)
	dir := shortDir(t)
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	c := supervisorIn(t, testConfig(dir))
	s := shell("who", `id -u; id -g; id -G; echo again >> /dev/stdout; exec sleep 1000`)
	s.User, s.LogFile = "nobody", filepath.Join(dir, "log")
	mustStart(t, c, s)
	got := untilFile(t, s.LogFile, func(s string) bool { return strings.HasSuffix(s, "again\n") })
	if got != "65534\n65534\n65534\nagain\n" {
		t.Errorf("the service saw %q", got)
	}
}

func TestAccountsAreNamesOrNumbers(t *testing.T) {
	rootOnly(t)
	a, _, err := lookupAccount(Spec{User: "4242", Group: "17"})
	if err != nil || a.UID != 4242 || a.GID != 17 || len(a.Groups) != 0 {
		t.Errorf("numbers without an entry: %+v, %v", a, err)
	}
	if a, _, err = lookupAccount(Spec{}); a != nil || err != nil {
		t.Errorf("no user: %+v, %v", a, err)
	}
}
