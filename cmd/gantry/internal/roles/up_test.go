package roles

import (
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/gantry-orchestrator/gantry/model"
)

func TestWhatIsStartedInheritsNoOpenFile(t *testing.T) {
	passed, err := syscall.Dup(int(os.Stderr.Fd())) // as a shell's, it stays open across exec
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(passed)
	if err := inheritNothing(); err != nil {
		t.Fatal(err)
	}
	flags, _, errno := syscall.Syscall(syscall.SYS_FCNTL, uintptr(passed), syscall.F_GETFD, 0)
	if errno != 0 || flags&syscall.FD_CLOEXEC == 0 {
		t.Errorf("flags %x, %v: it is inherited", flags, errno)
	}
}

func TestUpRefusesWhatCannotBeBeforeItBegins(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, busy, _ := strings.Cut(l.Addr().String(), ":")
	for _, c := range []struct {
		args  []string
		class error
		says  string
	}{
		{[]string{"--port", "99999"}, model.ErrInvalid, "--port 99999: expected 1 to 65535"},
		{[]string{"--port", "-5"}, model.ErrInvalid, "--port -5"},
		{[]string{"--health-port", "-5"}, model.ErrInvalid, "--health-port -5"},
		{[]string{"--provider", "aws"}, model.ErrInvalid, `--provider "aws": expected sandbox or loopback`},
		{[]string{"--base", "windows"}, model.ErrInvalid, `--base "windows": expected debian or host`},
		{[]string{"--provider", "loopback", "--health-port", busy}, model.ErrConflict, "give another --health-port"},
	} {
		p, err := Places{Cache: t.TempDir()}.At(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		cmd := up(func() Places { return p })
		cmd.SetArgs(c.args)
		cmd.SetOut(io.Discard)
		cmd.SilenceErrors, cmd.SilenceUsage = true, true
		if err := cmd.Execute(); !errors.Is(err, c.class) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("up %q: %v", c.args, err)
		}
		if _, err := p.loadInstall(); !errors.Is(err, model.ErrNotFound) {
			t.Errorf("up %q left an install: %v", c.args, err)
		}
	}
}

func TestAnInstallKeepsWhatItChose(t *testing.T) {
	p := install(t) // at port 17170
	cmd := up(func() Places { return p })
	cmd.SetArgs([]string{"--port", "17180"})
	cmd.SetOut(io.Discard)
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	if err := cmd.Execute(); !errors.Is(err, model.ErrConflict) || !strings.Contains(err.Error(), "--port 17180: this install has 17170") {
		t.Errorf("up on another port: %v", err)
	}
}
