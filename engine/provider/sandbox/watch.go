package sandbox

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/gantry-orchestrator/gantry/engine/provider/internal/process"
)

// Watch implements provider.Watcher by one poll of all first processes.
func (p *Provider) Watch(ctx context.Context, exited func(uuid string)) error {
	waker, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return fmt.Errorf("watch machines: %w", err)
	}
	p.mu.Lock()
	p.wakers[waker] = struct{}{}
	p.mu.Unlock()
	stop := context.AfterFunc(ctx, p.wake)
	defer func() {
		stop()
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.wakers, waker)
		_ = unix.Close(waker)
	}()
	alive := map[string]process.Identity{}
	for ctx.Err() == nil {
		if err := p.watchOnce(waker, alive, exited); err != nil {
			return fmt.Errorf("watch machines: %w", err)
		}
	}
	return ctx.Err()
}

// watchOnce reports the machines of alive that died, fills alive with those
// that run, and blocks until one of them dies or the set may have changed.
func (p *Provider) watchOnce(waker int, alive map[string]process.Identity, exited func(string)) error {
	for uuid, id := range alive {
		if !id.Alive() {
			delete(alive, uuid)
			exited(uuid)
		}
	}
	records, _, err := p.store.List()
	if err != nil {
		return err
	}
	fds := []unix.PollFd{{Fd: int32(waker), Events: unix.POLLIN}}
	defer func() {
		for _, fd := range fds[1:] {
			_ = unix.Close(int(fd.Fd))
		}
	}()
	for _, r := range records {
		if r.Process.Alive() {
			alive[r.UUID] = r.Process
		}
	}
	for _, id := range alive {
		fd, err := id.Open()
		if errors.Is(err, unix.ESRCH) {
			return nil // it died since it was looked at
		} else if err != nil {
			return err
		}
		fds = append(fds, unix.PollFd{Fd: int32(fd), Events: unix.POLLIN})
	}
	if _, err := unix.Poll(fds, -1); err != nil && !errors.Is(err, unix.EINTR) {
		return err
	}
	_, _ = unix.Read(waker, make([]byte, 8))
	return nil
}

// wake makes the watches look again.
func (p *Provider) wake() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for fd := range p.wakers {
		_, _ = unix.Write(fd, binary.NativeEndian.AppendUint64(nil, 1))
	}
}
