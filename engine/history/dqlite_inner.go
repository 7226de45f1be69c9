//go:build dqlite && cgo

package history

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

// inner is where dqlite itself listens, and the connections that are spliced
// to it. dqlite speaks neither TLS nor through a net.Conn: it is given sockets
// of this process, and what comes in over the network is copied to them.
type inner struct {
	dir      *os.File
	listener *os.File // dqlite's own descriptor has taken it over
	splices  errgroup.Group
	ctx      context.Context
	stop     context.CancelFunc

	mu    sync.Mutex
	conns map[io.Closer]bool // what close has to end
}

const socketName = "dqlite.socket"

// newInner makes the socket in a directory that its owner alone may enter.
func newInner(dir string) (*inner, error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("open the history: %w", err)
	}
	if err := os.Remove(filepath.Join(dir, socketName)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, errors.Join(err, d.Close())
	}
	i := &inner{dir: d, conns: map[io.Closer]bool{}}
	i.ctx, i.stop = context.WithCancel(context.Background())
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("open the history: %w", errors.Join(err, d.Close()))
	}
	i.listener = os.NewFile(uintptr(fd), socketName)
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: i.path()}); err != nil {
		return nil, fmt.Errorf("open the history: %w", errors.Join(err, i.close()))
	}
	return i, nil
}

// path is short however deep the directory is: a socket's may have 107 bytes.
func (i *inner) path() string { return fmt.Sprintf("/proc/self/fd/%d/%s", i.dir.Fd(), socketName) }

// replace puts the socket in the place of the one that dqlite bound, before it
// listens: dqlite knows only names that every user of the host can connect to.
func (i *inner) replace(bound string) error {
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return err
	}
	for _, entry := range fds {
		fd, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		name, err := unix.Getsockname(fd)
		if unixName, ok := name.(*unix.SockaddrUnix); err == nil && ok && unixName.Name == bound {
			return unix.Dup3(int(i.listener.Fd()), fd, unix.O_CLOEXEC)
		}
	}
	return fmt.Errorf("the socket %s of dqlite is none of this process", bound)
}

// dial connects to dqlite itself.
func (i *inner) dial(ctx context.Context) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, "unix", i.path())
}

// enter splices a connection of another member to dqlite.
func (i *inner) enter(remote net.Conn) {
	i.splices.Go(func() error {
		local, err := i.dial(i.ctx)
		if err != nil {
			return remote.Close() // the other side tries again
		}
		i.splice(remote, local)
		return nil
	})
}

// spliced gives dqlite sockets that are copied to what dial returns.
func (i *inner) spliced(dial func(context.Context, string) (net.Conn, error)) func(context.Context, string) (net.Conn, error) {
	return func(ctx context.Context, member string) (net.Conn, error) {
		remote, err := dial(ctx, member)
		if err != nil {
			return nil, err
		}
		theirs, ours, err := socketPair()
		if err != nil {
			return nil, errors.Join(err, remote.Close())
		}
		i.splices.Go(func() error {
			i.splice(remote, ours)
			return nil
		})
		return theirs, nil
	}
}

// splice copies both ways until either side ends.
func (i *inner) splice(a, b net.Conn) {
	i.keep(a)
	i.keep(b)
	var g errgroup.Group
	for from, to := range map[net.Conn]net.Conn{a: b, b: a} {
		g.Go(func() error {
			_, err := io.Copy(to, from)
			i.end(a)
			i.end(b)
			return err
		})
	}
	_ = g.Wait() // a connection that broke: raft makes another
}

// keep has close end c; at once where that has happened.
func (i *inner) keep(c io.Closer) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.conns[c] = true
	if i.ctx.Err() != nil {
		_ = c.Close()
	}
}

func (i *inner) end(c io.Closer) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.conns[c] {
		delete(i.conns, c)
		_ = c.Close()
	}
}

// close ends every connection and waits for their copying.
func (i *inner) close() error {
	i.stop()
	i.mu.Lock()
	for c := range i.conns {
		delete(i.conns, c)
		_ = c.Close()
	}
	i.mu.Unlock()
	_ = i.splices.Wait()
	return errors.Join(i.listener.Close(), i.dir.Close())
}

// socketPair is a pair of connected sockets. dqlite wants a descriptor.
func socketPair() (a, b net.Conn, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("make a pair of sockets: %w", err)
	}
	conns := make([]net.Conn, 2)
	for i, fd := range fds {
		f := os.NewFile(uintptr(fd), "dqlite")
		c, e := net.FileConn(f)
		err = errors.Join(err, e, f.Close())
		conns[i] = c
	}
	return conns[0], conns[1], err
}

// writeWhole writes a file whole or not at all.
func writeWhole(file string, b []byte) error {
	f, err := os.OpenFile(file+".new", os.O_CREATE|os.O_WRONLY|os.O_TRUNC|syscall.O_CLOEXEC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(file+".new", file)
}

// let decides who is handed connections; nil for nobody.
func (d *door) let(in func(net.Conn)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.in = in
}
