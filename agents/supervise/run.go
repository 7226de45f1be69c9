package supervise

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"github.com/gantry-orchestrator/gantry/model"
)

// Run supervises until ctx is cancelled or SIGTERM or SIGINT arrives; then it
// stops all services, last started first, and returns nil. The services stay
// wanted: the next Run starts them again. SIGHUP is ignored.
//
// A supervisor that dies in any other way leaves its services running, and the
// next Run adopts them. main must call RunStage before anything else.
func Run(ctx context.Context, c Config) error {
	c, err := c.withDefaults()
	if err != nil {
		return err
	}
	for {
		again, err := serve(ctx, c)
		if err != nil || !again {
			return err
		}
		// Children stay ours through exec; everything else is read from disk.
		err = syscall.Exec(c.Executable, os.Args, os.Environ())
		c.Logger.Error("upgrade failed, go on as before", "executable", c.Executable, "error", err)
	}
}

// serve supervises until a shutdown, or until an upgrade is asked for.
func serve(ctx context.Context, c Config) (upgrade bool, err error) {
	st, err := openStore(filepath.Join(c.Dir, "services"))
	if err != nil {
		return false, fmt.Errorf("supervise: %w", err)
	}
	lock, err := lockDir(c.Dir)
	if err != nil {
		return false, err
	}
	defer lock.Close()
	boot, err := bootID()
	if err != nil {
		return false, fmt.Errorf("supervise: read boot id: %w", err)
	}
	ln, err := listen(c.Socket)
	if err != nil {
		return false, err
	}
	defer ln.Close()

	inner, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	g, inner := errgroup.WithContext(inner)
	s := &supervisor{
		Config: c, boot: boot, store: st, cgroups: openCgroups(c.Cgroup), group: g, ctx: inner,
		services: map[string]*service{}, inbox: make(chan func()), watchers: map[*watcher]bool{},
	}
	if len(s.cgroups.lacking) > 0 {
		c.Logger.Warn("some limits and whole kills are not possible here", "lacking", s.cgroups.lacking)
	}
	if err := s.load(); err != nil {
		cancel(err)
		return false, errors.Join(err, g.Wait())
	}
	// Catching SIGHUP, not ignoring it, also lets the services have it: what is
	// caught is back to its default after exec, what is ignored stays ignored.
	signals := make(chan os.Signal, 16)
	caught := []os.Signal{unix.SIGTERM, unix.SIGINT, unix.SIGHUP}
	if os.Getpid() == 1 {
		caught = append(caught, unix.SIGCHLD)
	}
	signal.Notify(signals, caught...)
	defer signal.Stop(signals)

	g.Go(func() error { return s.accept(inner, ln) })
	g.Go(func() error { return s.tendLogs(inner) })
	g.Go(func() error {
		s.loop(ctx, signals)
		cancel(fmt.Errorf("the supervisor ends: %w", model.ErrUnavailable))
		return nil
	})
	err = g.Wait()
	if !s.upgrade {
		s.cgroups.close()
	}
	return s.upgrade, err
}

// lockDir makes sure that one supervisor owns dir. The lock ends with the
// process, however that ends.
func lockDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("supervise: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("another supervisor runs in %s; stop it first: %w", dir, model.ErrConflict), f.Close())
	}
	return f, nil
}

// listen takes the socket's place; the directory's lock says that whoever was
// there before is dead.
func listen(path string) (net.Listener, error) {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("supervise: %w", err)
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return nil, fmt.Errorf("supervise: close %s to others: %w", dir, err)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("supervise: %w", err)
	}
	ln, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("supervise: listen (a socket's path has at most 107 bytes): %w", err)
	}
	return ln, nil
}
