package consensus

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	wal "github.com/hashicorp/raft-wal"
	"github.com/hashicorp/raft-wal/metadb"
	"golang.org/x/sync/errgroup"

	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/model"
)

const (
	segmentBytes      = 16 << 20 // of the write-ahead log, preallocated
	retainedSnapshots = 2
	snapshotThreshold = 4096 // entries since the last snapshot
	snapshotInterval  = 30 * time.Second
)

// Member is a controller that takes part.
type Member struct {
	ID      string
	Address string // host:port of its raft listener
}

// Config is what a node needs.
type Config struct {
	ID  string // never changes
	Dir string // of log and snapshots; made where it is missing

	// Members are all controllers, this one included, at the first start; none
	// means that this one is alone, which opens no port.
	Members []Member
	Bind    string      // host:port to listen on, with Members
	TLS     *tls.Config // mutual, refuses everyone but controllers; with Members

	Log *slog.Logger
	Now func() time.Time // stamps commands
}

// Node is one member. Run drives it.
type Node struct {
	config    Config
	raft      *raft.Raft
	log       *wal.WAL
	meta      *metadb.BoltMetaDB
	lock      *os.File
	fsm       *machine
	transport raft.Transport
	proposals chan *proposal
	turns     <-chan bool // leadership gained and lost
	leading   atomic.Bool
	lead      *gate
	stopped   chan struct{}
}

// Open recovers log and snapshots and starts to take part. The caller must
// Run the node to commit anything, and Run closes it.
func Open(c Config) (*Node, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	if err := os.MkdirAll(filepath.Join(c.Dir, "wal"), 0o700); err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	lock, err := lockDir(c.Dir)
	if err != nil {
		return nil, err
	}
	logger := raftLogger(c.Log)
	// Ours to close: the log does not, and the file stays locked.
	meta := &metadb.BoltMetaDB{}
	log, err := wal.Open(filepath.Join(c.Dir, "wal"), wal.WithSegmentSize(segmentBytes), wal.WithLogger(logger), wal.WithMetaStore(meta))
	if err != nil {
		return nil, fmt.Errorf("open log in %s: %w", c.Dir, errors.Join(err, meta.Close(), lock.Close()))
	}
	n := &Node{
		config: c, log: log, meta: meta, lock: lock, fsm: newMachine(), lead: newGate(),
		proposals: make(chan *proposal, 1024), stopped: make(chan struct{}),
	}
	if err := n.join(logger); err != nil {
		return nil, errors.Join(err, log.Close(), meta.Close(), lock.Close())
	}
	return n, nil
}

// join starts raft on the opened log.
func (n *Node) join(logger hclog.Logger) error {
	snapshots, err := raft.NewFileSnapshotStoreWithLogger(n.config.Dir, retainedSnapshots, logger)
	if err != nil {
		return fmt.Errorf("open snapshots in %s: %w", n.config.Dir, err)
	}
	self := raft.ServerAddress(n.config.ID)
	if len(n.config.Members) == 0 {
		_, n.transport = raft.NewInmemTransport(self)
	} else {
		stream, err := listen(n.config.Bind, n.config.TLS)
		if err != nil {
			return err
		}
		n.transport = raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{
			Stream: stream, MaxPool: 3, Timeout: 5 * time.Second, Logger: logger,
		})
	}
	turns := make(chan bool, 16)
	n.turns = turns
	config := raftConfig(n.config, logger, turns)
	known, err := raft.HasExistingState(n.log, n.log, snapshots)
	if err != nil {
		return fmt.Errorf("read log in %s: %w", n.config.Dir, err)
	}
	if !known {
		if err := raft.BootstrapCluster(config, n.log, n.log, snapshots, n.transport, n.configuration(self)); err != nil {
			return fmt.Errorf("begin a log in %s: %w", n.config.Dir, err)
		}
	}
	if n.raft, err = raft.NewRaft(config, n.fsm, n.log, n.log, snapshots, n.transport); err != nil {
		return fmt.Errorf("start consensus: %w", err)
	}
	return nil
}

func (n *Node) configuration(self raft.ServerAddress) raft.Configuration {
	if len(n.config.Members) == 0 {
		return raft.Configuration{Servers: []raft.Server{{ID: raft.ServerID(n.config.ID), Address: self}}}
	}
	var c raft.Configuration
	for _, m := range n.config.Members {
		c.Servers = append(c.Servers, raft.Server{ID: raft.ServerID(m.ID), Address: raft.ServerAddress(m.Address)})
	}
	return c
}

// raftConfig has short timeouts: alone there is nobody to wait for, and
// members are expected on one network.
func raftConfig(c Config, logger hclog.Logger, turns chan<- bool) *raft.Config {
	r := raft.DefaultConfig()
	r.LocalID = raft.ServerID(c.ID)
	r.Logger = logger
	r.NotifyCh = turns
	r.HeartbeatTimeout, r.ElectionTimeout, r.LeaderLeaseTimeout = 500*time.Millisecond, 500*time.Millisecond, 250*time.Millisecond
	if len(c.Members) == 0 {
		r.HeartbeatTimeout, r.ElectionTimeout, r.LeaderLeaseTimeout = 20*time.Millisecond, 20*time.Millisecond, 10*time.Millisecond
	}
	r.SnapshotThreshold = snapshotThreshold
	r.SnapshotInterval = snapshotInterval
	r.TrailingLogs = snapshotThreshold
	r.NoLegacyTelemetry = true
	return r
}

// Run commits proposals and calls lead while this node leads, until ctx ends;
// then it hands leadership on and closes the log. The context of lead ends
// with the leadership, and lead returns before another call of it.
func (n *Node) Run(ctx context.Context, lead func(ctx context.Context) error) error {
	defer close(n.stopped)
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error { return n.commit(gctx) })
	g.Go(func() error { return n.follow(gctx, lead) })
	err := g.Wait()
	return errors.Join(err, n.close())
}

func (n *Node) close() error {
	n.leading.Store(false)
	if len(n.config.Members) > 1 && n.raft.State() == raft.Leader {
		// Whether it succeeds or not, the others elect one of themselves.
		_ = n.raft.LeadershipTransfer().Error()
	}
	errs := []error{n.raft.Shutdown().Error()}
	if closer, ok := n.transport.(raft.WithClose); ok {
		errs = append(errs, closer.Close())
	}
	return errors.Join(append(errs, n.log.Close(), n.meta.Close(), n.lock.Close())...)
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
	if err := n.raft.Barrier(0).Error(); err != nil {
		// Lost again already: a later turn tells when it is won.
		return nil
	}
	term, end := context.WithCancel(ctx)
	g, term := errgroup.WithContext(term)
	n.leading.Store(true)
	n.lead.open()
	g.Go(func() error { return lead(term) })
	g.Go(func() error {
		defer end()
		for {
			select {
			case <-term.Done():
				return nil
			case won := <-n.turns:
				if !won {
					return nil
				}
			}
		}
	})
	err := g.Wait()
	n.leading.Store(false)
	n.lead.shut()
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// Leading reports whether this node leads and has applied all that was
// committed before.
func (n *Node) Leading() bool { return n.leading.Load() }

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

// Read is the state after every change that was acknowledged, by anyone,
// before the call. It needs a majority and writes nothing.
func (n *Node) Read(ctx context.Context) (state.State, error) {
	if !n.Leading() {
		return state.State{}, errNotLeader
	}
	if err := ctx.Err(); err != nil {
		return state.State{}, err
	}
	if err := n.raft.VerifyLeader().Error(); err != nil {
		return state.State{}, fmt.Errorf("%w: %w", err, errNotLeader)
	}
	return n.State(), nil
}

// Snapshot writes a snapshot now and lets go of the log before it.
func (n *Node) Snapshot() error {
	if err := n.raft.Snapshot().Error(); err != nil && !errors.Is(err, raft.ErrNothingNewToSnapshot) {
		return fmt.Errorf("take a snapshot: %w", err)
	}
	return nil
}
