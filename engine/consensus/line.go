package consensus

import (
	"errors"
	"io"
	"sync"
	"time"

	"github.com/hashicorp/raft"
	"golang.org/x/sync/errgroup"
)

// line is a transport that notes what members answer: raft knows it and does
// not tell.
type line struct {
	raft.Transport
	requests chan raft.RPC // to raft
	closed   chan struct{}
	once     sync.Once
	relay    errgroup.Group

	mu      sync.Mutex
	round   uint64
	heard   map[raft.ServerID]contact
	changed chan struct{} // closed and replaced with every answer
}

// contact is what a member last answered to this one.
type contact struct {
	at    time.Time
	term  uint64 // in which it took this node for the leader
	round uint64 // that had begun when that was asked
	match uint64 // up to here its log is this one's
}

func newLine(t raft.Transport) *line {
	return &line{
		Transport: t, requests: make(chan raft.RPC), closed: make(chan struct{}),
		heard: map[raft.ServerID]contact{}, changed: make(chan struct{}),
	}
}

// begin starts a round: only what is asked from now on can confirm it.
func (l *line) begin() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.round++
	return l.round
}

// contacts are the latest, with a channel that is closed when there are later
// ones.
func (l *line) contacts() (heard func(id raft.ServerID) contact, changed <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	latest := make(map[raft.ServerID]contact, len(l.heard))
	for id, c := range l.heard {
		latest[id] = c
	}
	return func(id raft.ServerID) contact { return latest[id] }, l.changed
}

// note updates a contact and wakes who waits for it.
func (l *line) note(id raft.ServerID, update func(c *contact)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.heard[id]
	c.at = time.Now()
	update(&c)
	l.heard[id] = c
	close(l.changed)
	l.changed = make(chan struct{})
}

// confirm is a member that took this node for the leader of a term.
func (c *contact) confirm(term, round uint64) {
	if term > c.term {
		c.term, c.round, c.match = term, 0, 0
	}
	if term == c.term {
		c.round = max(c.round, round)
	}
}

// AppendEntries implements raft.Transport.
func (l *line) AppendEntries(id raft.ServerID, target raft.ServerAddress, args *raft.AppendEntriesRequest, resp *raft.AppendEntriesResponse) error {
	l.mu.Lock()
	round := l.round
	l.mu.Unlock()
	if err := l.Transport.AppendEntries(id, target, args, resp); err != nil {
		return err
	}
	l.note(id, func(c *contact) {
		if !resp.Success || resp.Term != args.Term {
			return
		}
		c.confirm(args.Term, round)
		if args.Term == c.term && args.PrevLogEntry+uint64(len(args.Entries)) > 0 {
			c.match = max(c.match, args.PrevLogEntry+uint64(len(args.Entries)))
		}
	})
	return nil
}

// AppendEntriesPipeline implements raft.Transport. Entries are packed before
// raft sees them, so that a second one on the way gains nothing.
func (l *line) AppendEntriesPipeline(raft.ServerID, raft.ServerAddress) (raft.AppendPipeline, error) {
	return nil, raft.ErrPipelineReplicationNotSupported
}

// InstallSnapshot implements raft.Transport.
func (l *line) InstallSnapshot(id raft.ServerID, target raft.ServerAddress, args *raft.InstallSnapshotRequest, resp *raft.InstallSnapshotResponse, data io.Reader) error {
	if err := l.Transport.InstallSnapshot(id, target, args, resp, data); err != nil {
		return err
	}
	l.note(id, func(*contact) {})
	return nil
}

// RequestPreVote implements raft.WithPreVote.
func (l *line) RequestPreVote(id raft.ServerID, target raft.ServerAddress, args *raft.RequestPreVoteRequest, resp *raft.RequestPreVoteResponse) error {
	return l.Transport.(raft.WithPreVote).RequestPreVote(id, target, args, resp)
}

// Close implements raft.WithClose. Connections end with it. Raft closes it too.
func (l *line) Close() error {
	l.once.Do(func() { close(l.closed) })
	if streams, ok := l.Transport.(interface{ CloseStreams() }); ok {
		streams.CloseStreams()
	}
	return errors.Join(l.Transport.(raft.WithClose).Close(), l.relay.Wait())
}
