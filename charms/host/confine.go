package host

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// nobody is the user and group that charms run as where the agent is root.
const nobody = 65534

// Limits of a charm's process that answers Reconcile.
const (
	maxOpenFiles  = 256
	maxFileBytes  = 1 << 20
	maxDataBytes  = 2 << 30
	namespaceBits = syscall.CLONE_NEWNET | syscall.CLONE_NEWIPC | syscall.CLONE_NEWUTS
)

// confinement is what this machine offers to keep a charm's process from
// doing anything but answer.
type confinement struct {
	superuser  bool // another user
	namespaces bool // no network at all
	landlock   int  // its ABI; 0 where the kernel has none
}

func detect() confinement {
	c := confinement{superuser: os.Geteuid() == 0, landlock: landlockABI()}
	c.namespaces = c.superuser && canUnshare()
	return c
}

// canUnshare tries the namespaces with a process that has nothing to execute.
func canUnshare() bool {
	cmd := &exec.Cmd{Path: "/nonexistent", SysProcAttr: &syscall.SysProcAttr{Cloneflags: namespaceBits}}
	return errors.Is(cmd.Start(), syscall.ENOENT)
}

func (c confinement) lacks() []string {
	var lacks []string
	if !c.superuser {
		lacks = append(lacks, "another user: the agent is not root")
	}
	if !c.namespaces && c.landlock < landlockNet {
		lacks = append(lacks, "cutting off the network: neither network namespaces nor Landlock's TCP rules are allowed here")
	} else if !c.namespaces {
		lacks = append(lacks, "cutting off UDP: network namespaces are not allowed here")
	}
	if c.landlock == 0 {
		lacks = append(lacks, "hiding files: this kernel has no Landlock")
	}
	return lacks
}

// group is the one that may use the process's socket directory, or "" where
// the process runs as the agent's own user.
func (c confinement) group() string {
	if !c.superuser {
		return ""
	}
	return strconv.Itoa(nobody)
}

// start starts a process that can read its own executable and the system's
// libraries, write in dir, and reach no network. It sees no other file.
//
// The rules are laid on a thread of ours from which the process is forked, so
// that they hold before its first instruction; the thread is given up.
func (c confinement) start(cmd *exec.Cmd, dir string) error {
	executable, err := os.Open(cmd.Path)
	if err != nil {
		return fmt.Errorf("open the charm's executable: %w", err)
	}
	defer executable.Close()
	c.prepare(cmd, executable)
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with this function
		if err := c.restrictThread(executable, dir); err != nil {
			done <- err
			return
		}
		if err := cmd.Start(); err != nil {
			done <- err
			return
		}
		done <- c.limit(cmd.Process.Pid)
	}()
	return <-done
}

// prepare has the process run as nobody, in namespaces of its own. It is
// executed by descriptor, because nobody may not be able to reach its path.
func (c confinement) prepare(cmd *exec.Cmd, executable *os.File) {
	cmd.ExtraFiles = []*os.File{executable}
	cmd.Path = "/proc/self/fd/3"
	if c.superuser {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: nobody, Gid: nobody}
	}
	if c.namespaces {
		cmd.SysProcAttr.Cloneflags = namespaceBits
	}
}

func (c confinement) restrictThread(executable *os.File, dir string) error {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("set no_new_privs: %w", err)
	}
	if c.landlock == 0 {
		return nil
	}
	return landlock(c.landlock, executable, dir)
}

// limit bounds a process that was just started. It belongs to nobody, and only
// its own user may bound it where the agent's root is without CAP_SYS_RESOURCE,
// as in containers: so the thread, which is given up, takes that user on.
func (c confinement) limit(pid int) error {
	if c.superuser {
		for _, call := range []uintptr{unix.SYS_SETRESGID, unix.SYS_SETRESUID} {
			if _, _, errno := unix.RawSyscall(call, nobody, nobody, nobody); errno != 0 {
				return fmt.Errorf("bound the charm's process: %w", errno)
			}
		}
	}
	for resource, bound := range map[int]uint64{
		unix.RLIMIT_CORE: 0, unix.RLIMIT_NOFILE: maxOpenFiles, unix.RLIMIT_FSIZE: maxFileBytes, unix.RLIMIT_DATA: maxDataBytes,
	} {
		var was unix.Rlimit
		if err := unix.Prlimit(pid, resource, nil, &was); err != nil {
			return fmt.Errorf("bound the charm's process: %w", err)
		}
		to := min(bound, was.Max)
		if err := unix.Prlimit(pid, resource, &unix.Rlimit{Cur: to, Max: to}, nil); err != nil {
			return fmt.Errorf("bound the charm's process: %w", err)
		}
	}
	return nil
}
