// Package process knows a process by more than its number, which the kernel
// gives out again: by boot and start time as well.
package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Identity is one process of one boot. The zero identity is no process.
type Identity struct {
	PID   int    `json:"pid,omitempty"`
	Start uint64 `json:"start,omitempty"` // clock ticks after boot
	Boot  string `json:"boot,omitempty"`
}

var bootID = sync.OnceValues(func() (string, error) {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(b)), err
})

// Of identifies a process that runs now.
func Of(pid int) (Identity, error) {
	boot, err := bootID()
	if err != nil {
		return Identity{}, fmt.Errorf("identify process %d: %w", pid, err)
	}
	stat, err := ReadStat(pid)
	if err != nil {
		return Identity{}, fmt.Errorf("identify process %d: %w", pid, err)
	}
	return Identity{PID: pid, Start: stat.Start, Boot: boot}, nil
}

// Alive reports whether the process still runs. A zombie does not; one that is
// a child of this process is reaped.
func (id Identity) Alive() bool {
	if id.PID <= 0 {
		return false
	}
	stat, err := ReadStat(id.PID)
	boot, _ := bootID()
	if err != nil || stat.Start != id.Start || boot != id.Boot {
		return false
	}
	if stat.State == 'Z' || stat.State == 'X' {
		_, _ = unix.Wait4(id.PID, nil, unix.WNOHANG, nil)
		return false
	}
	return true
}

// Open returns a pidfd of the process, which becomes readable when it ends.
// The caller closes it.
func (id Identity) Open() (int, error) {
	if !id.Alive() {
		return -1, unix.ESRCH
	}
	fd, err := unix.PidfdOpen(id.PID, 0)
	if err != nil {
		return -1, fmt.Errorf("open process %d: %w", id.PID, err)
	}
	if !id.Alive() {
		_ = unix.Close(fd)
		return -1, unix.ESRCH
	}
	return fd, nil
}

// Signal sends a signal to this process and no other. One that ended is success.
func (id Identity) Signal(sig unix.Signal) error {
	fd, err := id.Open()
	if err != nil {
		return ignoreGone(err)
	}
	defer unix.Close(fd)
	return ignoreGone(unix.PidfdSendSignal(fd, sig, nil, 0))
}

// Terminate asks the process to end, by SIGTERM. The first process of a pid
// namespace never sees a signal that it does not handle yet, so Terminate waits
// until it does, or ctx ends.
func (id Identity) Terminate(ctx context.Context) error {
	for id.Alive() && !id.handles(unix.SIGTERM) && ctx.Err() == nil {
		pause(ctx, 5*time.Millisecond)
	}
	return id.Signal(unix.SIGTERM)
}

// handles reports whether the process catches a signal, or blocks it to read
// it from a descriptor.
func (id Identity) handles(sig unix.Signal) bool {
	text, _ := os.ReadFile("/proc/" + strconv.Itoa(id.PID) + "/status")
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(line, ":")
		if name != "SigCgt" && name != "SigBlk" {
			continue
		}
		mask, err := strconv.ParseUint(strings.TrimSpace(value), 16, 64)
		if err == nil && mask&(1<<(sig-1)) != 0 {
			return true
		}
	}
	return false
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// pollMillis is how soon Wait notices that its context ended.
const pollMillis = 20

// Wait blocks until the process ended or ctx did.
func (id Identity) Wait(ctx context.Context) error {
	fd, err := id.Open()
	if err != nil {
		return ignoreGone(err)
	}
	defer unix.Close(fd)
	for ctx.Err() == nil {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, pollMillis)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return fmt.Errorf("wait for process %d: %w", id.PID, err)
		}
		if n > 0 {
			id.Alive() // reaps it
			return nil
		}
	}
	return fmt.Errorf("wait for process %d: %w", id.PID, ctx.Err())
}

func ignoreGone(err error) error {
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	return err
}

// Stat is what /proc/PID/stat says of a process.
type Stat struct {
	State   byte
	Parent  int
	Session int
	Start   uint64
	environ string // where its environment ends in its memory; "" in the midst of an exec
}

// ReadStat reads the state of a process; see proc_pid_stat(5).
func ReadStat(pid int) (Stat, error) {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return Stat{}, err
	}
	text := string(b)
	fields := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
	if len(fields) < 21 {
		return Stat{}, fmt.Errorf("stat of process %d has %d fields", pid, len(fields))
	}
	s := Stat{State: fields[0][0]}
	// Field 51; both it and the size of the memory are zero for a kernel thread.
	if size := fields[20]; len(fields) > 48 && (fields[48] != "0" || size == "0") {
		s.environ = fields[48]
	}
	var errs [3]error
	s.Parent, errs[0] = strconv.Atoi(fields[1])
	s.Session, errs[1] = strconv.Atoi(fields[3])
	s.Start, errs[2] = strconv.ParseUint(fields[19], 10, 64)
	return s, errors.Join(errs[:]...)
}

// execPatience bounds the wait for a program that is being loaded.
const execPatience = 100 * time.Millisecond

// Environ is the environment that a process began with. In the midst of an
// exec there is none yet: Environ waits for it.
func Environ(pid int) ([]string, error) {
	path := "/proc/" + strconv.Itoa(pid) + "/environ"
	for deadline := time.Now().Add(execPatience); ; pause(context.Background(), time.Millisecond) {
		before, err := ReadStat(pid)
		if err != nil {
			return nil, err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		after, err := ReadStat(pid)
		if len(b) > 0 || err != nil || after.environ != "" && after.environ == before.environ || time.Now().After(deadline) {
			return strings.Split(strings.TrimSuffix(string(b), "\x00"), "\x00"), err
		}
	}
}

// All returns the numbers of all processes that can be seen.
func All() []int {
	entries, _ := os.ReadDir("/proc")
	var pids []int
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}
