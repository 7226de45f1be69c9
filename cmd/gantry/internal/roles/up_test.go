package roles

import (
	"os"
	"syscall"
	"testing"
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
