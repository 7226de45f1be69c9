package consensus

import (
	"context"
	"fmt"

	"github.com/hashicorp/raft"

	"github.com/gantry-orchestrator/gantry/engine/state"
)

// query is a reader that waits.
type query struct {
	done chan error // of one
}

// Read is the state after every change that was acknowledged, by anyone,
// before the call. It needs a majority and writes nothing; readers share the
// question.
func (n *Node) Read(ctx context.Context) (state.State, error) {
	q := &query{done: make(chan error, 1)}
	select {
	case n.queries <- q:
	case <-ctx.Done():
		return state.State{}, fmt.Errorf("read: %w", ctx.Err())
	case <-n.stopped:
		return state.State{}, errStopped
	}
	select {
	case err := <-q.done:
		if err != nil {
			return state.State{}, err
		}
		return n.State(), nil
	case <-ctx.Done():
		return state.State{}, fmt.Errorf("read: %w", ctx.Err())
	case <-n.stopped:
		return state.State{}, errStopped
	}
}

// answer confirms the leadership for all readers that wait at the same time.
func (n *Node) answer(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case first := <-n.queries:
			waiting := []*query{first}
			for len(n.queries) > 0 {
				waiting = append(waiting, <-n.queries)
			}
			err := n.confirm(ctx)
			for _, q := range waiting {
				q.done <- err
			}
		}
	}
}

// confirm returns once a majority has taken this node for the leader in answer
// to a question that was asked after the call: a leader that was paused may
// find answers to older ones, and be succeeded long since. That is why the
// verdict of raft, which counts any answer, only has the question asked.
func (n *Node) confirm(ctx context.Context) error {
	held := n.tenure.Load()
	if held == nil {
		return errNotLeader
	}
	round := n.line.begin()
	n.raft.VerifyLeader()
	for {
		heard, changed := n.line.contacts()
		if n.majority(func(s raft.ServerID) bool {
			c := heard(s)
			return c.term == held.term && c.round >= round
		}) && n.raft.CurrentTerm() == held.term {
			return nil
		}
		select {
		case <-changed:
		case <-held.ended:
			return errNotLeader
		case <-ctx.Done():
			return errStopped
		}
	}
}

// majority reports whether more than half of the voters, this one included,
// are such.
func (n *Node) majority(such func(raft.ServerID) bool) bool {
	voters, count := 0, 0
	for _, s := range n.raft.GetConfiguration().Configuration().Servers {
		if s.Suffrage != raft.Voter {
			continue
		}
		voters++
		if s.ID == raft.ServerID(n.config.ID) || such(s.ID) {
			count++
		}
	}
	return count > voters/2
}
