package consensus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/raft"

	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/model"
)

// maxEntryBytes is where an entry is full; a larger command has one of its own.
const maxEntryBytes = 1 << 20

// proposal is commands whose proposer waits.
type proposal struct {
	entry []byte // encoded
	count int
	done  chan answer // of one
}

type answer struct {
	outcomes []state.Outcome
	err      error
}

// Propose commits commands in order, in one entry, and returns what each of
// them did once they are applied. The error is the log's: with it, nothing was
// committed unless it says that the outcome is unknown, when a retry needs the
// same keys. A refused command is an Outcome with an error, not an error.
func (n *Node) Propose(ctx context.Context, commands ...state.Command) (outcomes []state.Outcome, err error) {
	if meter := n.config.Meter; meter != nil {
		defer func(began time.Time) { meter.Committed(time.Since(began), err) }(time.Now())
	}
	for i := range commands {
		commands[i].Version = state.FormatVersion
		commands[i].Now = n.config.Now()
		if err := n.State().Understands(commands[i].Ops); err != nil {
			return nil, err
		}
	}
	entry, err := encodeEntry(commands)
	if err != nil {
		return nil, err
	}
	p := &proposal{entry: entry, count: len(commands), done: make(chan answer, 1)}
	select {
	case n.proposals <- p:
	case <-ctx.Done():
		return nil, fmt.Errorf("nothing was committed: %w", ctx.Err())
	case <-n.stopped:
		return nil, errStopped
	}
	select {
	case a := <-p.done:
		return a.outcomes, a.err
	case <-ctx.Done():
		return nil, fmt.Errorf("the outcome is unknown, retry with the same key: %w", ctx.Err())
	case <-n.stopped:
		select {
		case a := <-p.done:
			return a.outcomes, a.err
		default:
			return nil, fmt.Errorf("the outcome is unknown, retry with the same key: %w", errStopped)
		}
	}
}

// commit packs what is proposed while an entry is on its way into the next.
func (n *Node) commit(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case first := <-n.proposals:
			n.commitBatch(n.gather(first))
		}
	}
}

// gather takes what waits behind a proposal until an entry is full.
func (n *Node) gather(first *proposal) []*proposal {
	batch, size := []*proposal{first}, len(first.entry)
	for size < maxEntryBytes {
		select {
		case p := <-n.proposals:
			batch = append(batch, p)
			size += len(p.entry)
		default:
			return batch
		}
	}
	return batch
}

func (n *Node) commitBatch(batch []*proposal) {
	var entry []byte
	for _, p := range batch {
		entry = append(entry, p.entry...)
	}
	future := n.raft.Apply(entry, 0)
	if err := n.settle(future); err != nil {
		err = commitError(err)
		for _, p := range batch {
			p.done <- answer{err: err}
		}
		return
	}
	outcomes := future.Response().([]state.Outcome)
	for _, p := range batch {
		p.done <- answer{outcomes: outcomes[:p.count:p.count]}
		outcomes = outcomes[p.count:]
	}
}

// commitError says whether anything can have been committed.
func commitError(err error) error {
	switch {
	case errors.Is(err, raft.ErrNotLeader), errors.Is(err, raft.ErrLeadershipTransferInProgress):
		return errNotLeader
	case errors.Is(err, raft.ErrRaftShutdown):
		return errStopped
	default: // raft.ErrLeadershipLost, and faults of the disk
		return fmt.Errorf("commit: the outcome is unknown, retry with the same key: %w: %w", err, model.ErrUnavailable)
	}
}
