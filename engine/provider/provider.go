package provider

import (
	"context"
	"io"
	"net/netip"
)

// Provider makes machines. Its methods may be called at the same time, also
// for one machine.
type Provider interface {
	// Create makes the machine of a spec, or finishes making it, or starts it
	// again with its disk and address where it is dead. A running machine is
	// returned as it is.
	Create(ctx context.Context, s Spec) (Instance, error)
	// Destroy removes a machine and its disk. An absent machine is success.
	Destroy(ctx context.Context, uuid string) error
	// List returns all machines of this install, ordered by UUID.
	List(ctx context.Context) ([]Instance, error)
}

// Stopper ends all machines at once.
type Stopper interface {
	// Down stops all machines and what joins them, and keeps their disks.
	Down(ctx context.Context) error
	// Purge leaves nothing of this install but its cache.
	Purge(ctx context.Context) error
}

// Killer ends all processes of a machine by SIGKILL, as a power cut would, and
// keeps its disk.
type Killer interface {
	Kill(ctx context.Context, uuid string) error
}

// Isolator cuts a machine off the network and joins it again. Its processes
// run on meanwhile.
type Isolator interface {
	Isolate(ctx context.Context, uuid string) error
	Heal(ctx context.Context, uuid string) error
}

// Hoster replaces the names that machines resolve, in those that run and in
// those that are started later.
type Hoster interface {
	Hosts(ctx context.Context, entries []HostEntry) error
}

// Watcher tells of machines that died. Watch blocks until ctx ends and calls
// exited for each machine that was started and is dead, when Watch begins and
// from then on: once for each death that it sees. It does not tell of one that
// was destroyed, or started again, before it looked.
type Watcher interface {
	Watch(ctx context.Context, exited func(uuid string)) error
}

// Execer runs a command in a running machine and waits for it. A command that
// fails is an *ExitError.
type Execer interface {
	Exec(ctx context.Context, uuid string, argv []string, stdio Stdio) error
}

// Stdio is what a command reads and writes; nil means nothing.
type Stdio struct {
	In       io.Reader
	Out, Err io.Writer
}

// HostEntry is a name that machines resolve, such as postgresql-0.leop.gantry.
type HostEntry struct {
	Name    string
	Address netip.Addr
}
