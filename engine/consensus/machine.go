package consensus

import (
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"

	"github.com/gantry-orchestrator/gantry/engine/state"
)

// machine is the replicated state machine as raft drives it, from one
// goroutine.
type machine struct {
	current atomic.Pointer[state.State]
	feed    *feed
	members roster
	meter   Meter // may be nil
}

func newMachine() *machine {
	empty := state.Empty()
	m := &machine{feed: newFeed()}
	m.current.Store(&empty)
	return m
}

// Apply implements raft.FSM; the answer is []state.Outcome. An entry that does
// not decode cannot be passed over without forking the state: it ends the
// process.
func (m *machine) Apply(log *raft.Log) any {
	commands, err := decodeEntry(log.Data)
	if err != nil {
		panic(fmt.Sprintf("consensus: entry %d of the log: %v", log.Index, err))
	}
	before, began := m.current.Load(), time.Now()
	next, outcomes := before.ApplyBatch(commands)
	m.current.Store(&next)
	if m.meter != nil {
		m.meter.Applied(len(commands), time.Since(began))
	}
	m.feed.append(before.Index(), commands, outcomes)
	return outcomes
}

// StoreConfiguration implements raft.ConfigurationStore.
func (m *machine) StoreConfiguration(index uint64, c raft.Configuration) { m.members.note(index, c) }

// Snapshot implements raft.FSM.
func (m *machine) Snapshot() (raft.FSMSnapshot, error) { return snapshot{m.current.Load()}, nil }

// Restore implements raft.FSM.
func (m *machine) Restore(r io.ReadCloser) error {
	restored, err := state.Decode(r)
	if err != nil {
		return fmt.Errorf("restore state: %w", err)
	}
	m.current.Store(&restored)
	m.feed.reset(restored.Index())
	return nil
}

// snapshot is a state that is written while the machine goes on.
type snapshot struct{ state *state.State }

// Persist implements raft.FSMSnapshot.
func (s snapshot) Persist(sink raft.SnapshotSink) error {
	if err := s.state.Encode(sink); err != nil {
		_ = sink.Cancel() // the error of encoding says more
		return fmt.Errorf("write state: %w", err)
	}
	return sink.Close()
}

// Release implements raft.FSMSnapshot.
func (s snapshot) Release() {}
