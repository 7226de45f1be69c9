// Package watch tells of processes that end, by one poll of all of them.
package watch

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/gantry-orchestrator/gantry/engine/provider/internal/process"
)

// Set is the processes that are watched, by the UUID of their machine.
type Set struct {
	// List returns the first processes of all machines, dead ones included.
	List func() (map[string]process.Identity, error)

	mu     sync.Mutex
	wakers map[int]struct{} // eventfds of the runs that block
}

// Run calls exited for each machine whose process has ended, now or until ctx
// ends: once for each process.
func (s *Set) Run(ctx context.Context, exited func(uuid string)) error {
	waker, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return fmt.Errorf("watch machines: %w", err)
	}
	s.add(waker)
	stop := context.AfterFunc(ctx, s.Wake)
	defer func() {
		stop()
		s.remove(waker)
	}()
	told := map[string]process.Identity{}
	for ctx.Err() == nil {
		if err := s.once(waker, told, exited); err != nil {
			return fmt.Errorf("watch machines: %w", err)
		}
	}
	return ctx.Err()
}

// once tells of those that ended and were not told of, and blocks until
// another ends or the set may have changed.
func (s *Set) once(waker int, told map[string]process.Identity, exited func(string)) error {
	all, err := s.List()
	if err != nil {
		return err
	}
	fds := []unix.PollFd{{Fd: int32(waker), Events: unix.POLLIN}}
	defer func() {
		for _, fd := range fds[1:] {
			_ = unix.Close(int(fd.Fd))
		}
	}()
	for uuid, id := range all {
		fd, err := id.Open()
		switch {
		case errors.Is(err, unix.ESRCH):
			if id.PID != 0 && told[uuid] != id {
				told[uuid] = id
				exited(uuid)
			}
		case err != nil:
			return err
		default:
			fds = append(fds, unix.PollFd{Fd: int32(fd), Events: unix.POLLIN})
		}
	}
	if _, err := unix.Poll(fds, -1); err != nil && !errors.Is(err, unix.EINTR) {
		return err
	}
	_, _ = unix.Read(waker, make([]byte, 8))
	return nil
}

func (s *Set) add(waker int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.wakers == nil {
		s.wakers = map[int]struct{}{}
	}
	s.wakers[waker] = struct{}{}
}

func (s *Set) remove(waker int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.wakers, waker)
	_ = unix.Close(waker)
}

// Wake makes the runs look at the list again. Whoever changes it calls Wake.
func (s *Set) Wake() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for fd := range s.wakers {
		_, _ = unix.Write(fd, binary.NativeEndian.AppendUint64(nil, 1))
	}
}
