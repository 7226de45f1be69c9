package consensus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
	"golang.org/x/sync/errgroup"

	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/model"
)

// Config is what a node needs.
type Config struct {
	ID  string // never changes
	Dir string // of log and snapshots; made where it is missing

	// Join is a node that founds nothing: at its first start it waits until a
	// leader adds it. Any other is the only member when it starts first.
	Join bool
	// Address is where other members reach this node: host:port.
	Address string
	// Listener delivers connections of other members, Dial makes one to an
	// address. Both ends are authenticated before raft sees a byte: that is the
	// caller's. The node closes the listener.
	Listener net.Listener
	Dial     func(ctx context.Context, address string) (net.Conn, error)

	Log *slog.Logger
	Now func() time.Time // stamps commands

	Meter Meter // may be nil
}

// Node is one member. Run drives it.
type Node struct {
	config    Config
	raft      *raft.Raft
	disk      *disk
	lock      *os.File
	fsm       *machine
	line      *line
	proposals chan *proposal
	queries   chan *query
	turns     <-chan bool // leadership gained and lost
	tenure    atomic.Pointer[tenure]
	lead      *gate
	stopped   chan struct{}
	changing  chan struct{}      // holds a token while the members are changed
	shutdown  func() raft.Future // the first answer of raft, which is the one that waits
}

// tenure is a time of leadership, from when all that was committed before it
// is applied.
type tenure struct {
	term  uint64
	ended <-chan struct{}
}

// Open recovers log and snapshots and starts to take part. The caller must
// Run the node to commit anything, and Run closes it.
func Open(c Config) (*Node, error) {
	if c.Listener == nil || c.Dial == nil || c.Address == "" {
		return nil, fmt.Errorf("open %s: a node needs an address, a listener and a dialler for other members: %w", c.Dir, model.ErrInvalid)
	}
	lock, err := lockDir(c.Dir)
	if err != nil {
		return nil, err
	}
	logger := raftLogger(c.Log)
	d, err := openDisk(c.Dir, logger)
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	m := newMachine()
	n, err := newNode(c, parts{disk: d, transport: networkTransport(c, logger), machine: m, fsm: m, timing: raftTiming})
	if err != nil {
		return nil, errors.Join(err, d.close(), lock.Close())
	}
	n.lock = lock
	return n, nil
}

// parts are what a node is made of.
type parts struct {
	disk      *disk
	transport raft.Transport
	machine   *machine
	fsm       raft.FSM // passes on to machine what raft applies
	timing    func(*raft.Config)
}

// newNode starts raft.
func newNode(c Config, p parts) (*Node, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	turns := make(chan bool, 16)
	n := &Node{
		config: c, disk: p.disk, fsm: p.machine, lead: newGate(), line: newLine(p.transport), turns: turns,
		proposals: make(chan *proposal, 1024), queries: make(chan *query, 1024),
		stopped: make(chan struct{}), changing: make(chan struct{}, 1),
	}
	p.disk.noted = p.machine.members.note
	p.disk.meter, p.machine.meter = c.Meter, c.Meter
	config := raftConfig(c.ID, raftLogger(c.Log), turns)
	p.timing(config)
	if err := n.begin(config, p.fsm); err != nil {
		return nil, errors.Join(err, n.line.Close())
	}
	p.disk.arm()
	if n.only() {
		return n, hasten(n.raft)
	}
	return n, nil
}

// begin starts raft, and founds a log where there is none. Raft panics where it
// cannot keep its term.
func (n *Node) begin(config *raft.Config, fsm raft.FSM) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("start consensus in %s: %v", n.config.Dir, r)
		}
	}()
	known, err := raft.HasExistingState(n.disk, n.disk, n.disk)
	if err != nil {
		return fmt.Errorf("read log in %s: %w", n.config.Dir, err)
	}
	if !known && !n.config.Join {
		if err := raft.BootstrapCluster(config, n.disk, n.disk, n.disk, n.line, alone(n.config.ID, n.config.Address)); err != nil {
			return fmt.Errorf("begin a log in %s: %w", n.config.Dir, err)
		}
	}
	if n.raft, err = raft.NewRaft(config, fsm, n.disk, n.disk, n.disk, n.line); err != nil {
		return fmt.Errorf("start consensus in %s: %w", n.config.Dir, err)
	}
	n.shutdown = sync.OnceValue(n.raft.Shutdown)
	n.line.pass(n.raft, n.disk)
	return nil
}

// alone is the configuration of a single member.
func alone(id, address string) raft.Configuration {
	return raft.Configuration{Servers: []raft.Server{{ID: raft.ServerID(id), Address: raft.ServerAddress(address)}}}
}

// Run commits proposals and calls lead while this node leads, until ctx ends;
// then it hands leadership on and closes the log. The context of lead ends
// with the leadership, and lead returns before another call of it. A fault of
// the disk ends Run with an error: nothing was acknowledged after it, and the
// directory may be opened again once the disk is well.
func (n *Node) Run(ctx context.Context, lead func(ctx context.Context) error) error {
	defer close(n.stopped)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	over := make(chan struct{})
	var watch errgroup.Group
	watch.Go(func() error { return n.attend(over, cancel) })
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error { return n.commit(gctx) })
	g.Go(func() error { return n.answer(gctx) })
	g.Go(func() error { return n.follow(gctx, lead) })
	err := g.Wait()
	if n.raft.State() == raft.Leader && !n.only() {
		// Whether it succeeds or not, the others elect one of themselves.
		_ = n.settle(n.raft.LeadershipTransfer())
	}
	close(over)
	return errors.Join(err, watch.Wait(), n.close())
}

// attend ends everything once the disk failed or does not answer. Raft then
// answers those who wait for it.
func (n *Node) attend(over <-chan struct{}, cancel func()) error {
	look := time.NewTicker(stallLook)
	defer look.Stop()
	stalled := n.disk.stalled()
	for {
		select {
		case <-over:
			return nil
		case <-look.C:
			if stalled() {
				n.disk.fail("write the log", errStalled)
			}
		case <-n.disk.failed:
			n.retire()
			n.shutdown()
			cancel()
			return n.disk.fault()
		}
	}
}

// settle waits for what raft does not answer after a fault of the disk.
func (n *Node) settle(asked raft.Future) error {
	answer := make(chan error, 1)
	go func() { answer <- asked.Error() }()
	select {
	case err := <-answer:
		return err
	case <-n.disk.failed:
		return n.disk.fault()
	}
}

func (n *Node) close() error {
	n.retire()
	// The line is closed first, so that what waits for an answer of a member ends.
	stopping := n.shutdown()
	errs := []error{n.line.Close()}
	if errors.Is(n.disk.fault(), errStalled) {
		return errors.Join(errs...) // the rest waits for the disk: the end of the process does it
	}
	errs = append(errs, stopping.Error(), n.disk.close())
	if n.lock != nil {
		errs = append(errs, n.lock.Close())
	}
	return errors.Join(errs...)
}

// retire is the end of what only a leader may do.
func (n *Node) retire() {
	n.tenure.Store(nil)
	n.lead.shut()
}

// follow calls lead whenever this node has won an election and has applied
// all that was committed before.
func (n *Node) follow(ctx context.Context, lead func(context.Context) error) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case won := <-n.turns:
			if !won {
				continue
			}
			if err := n.reign(ctx, lead); err != nil {
				return err
			}
		}
	}
}

// reign is one time of leadership.
func (n *Node) reign(ctx context.Context, lead func(context.Context) error) error {
	number := n.raft.CurrentTerm()
	if err := n.settle(n.raft.Barrier(0)); err != nil || n.raft.CurrentTerm() != number {
		// Lost again already: a later turn tells when it is won.
		return nil
	}
	term, end := context.WithCancel(ctx)
	defer end()
	g, term := errgroup.WithContext(term)
	n.tenure.Store(&tenure{term: number, ended: term.Done()})
	n.lead.open()
	g.Go(func() error { n.moved(); return lead(term) })
	g.Go(func() error {
		defer end()
		for {
			select {
			case <-term.Done():
				return nil
			case won := <-n.turns:
				if !won {
					n.retire()
					return nil
				}
			}
		}
	})
	err := g.Wait()
	n.retire()
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// Leading reports whether this node leads and has applied all that was
// committed before.
func (n *Node) Leading() bool { return n.tenure.Load() != nil }

// Led waits until this node leads.
func (n *Node) Led(ctx context.Context) error {
	select {
	case <-n.lead.passed():
		return nil
	case <-n.stopped:
		return errStopped
	case <-ctx.Done():
		return fmt.Errorf("wait for leadership: %w", ctx.Err())
	}
}

var (
	errStopped   = fmt.Errorf("this controller is stopping: ask another, or again once it is up: %w", model.ErrUnavailable)
	errNotLeader = fmt.Errorf("this controller does not lead: ask another: %w", model.ErrUnavailable)
)

// State is the state as applied here: on the leader, all that it acknowledged.
func (n *Node) State() state.State { return *n.fsm.current.Load() }

// Snapshot writes a snapshot now and lets go of the log before it.
func (n *Node) Snapshot() error {
	if err := n.raft.Snapshot().Error(); err != nil && !errors.Is(err, raft.ErrNothingNewToSnapshot) {
		return fmt.Errorf("take a snapshot: %w", err)
	}
	return nil
}
