package consensus

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/model"
)

// keptChanges is how far behind a watcher may fall before it must read the
// state anew.
const keptChanges = 8192

// Change is one applied command that changed something.
type Change struct {
	Index    uint64
	Revision uint64
	Key      string // of the command
	Cause    uint64 // revision that it follows from, where it is derived
	Origin   state.Origin
	Author   string
	Reason   string
	Time     time.Time // by its proposer's clock
	Keys     []state.Key
}

// feed keeps the latest changes. Readers pull: nobody is waited for, and a
// reader that leaves leaves nothing behind.
type feed struct {
	mu     sync.Mutex
	from   uint64 // changes after this index are kept
	head   uint64 // the last applied
	kept   []Change
	pulled chan struct{} // closed and replaced when head advances
}

func newFeed() *feed { return &feed{pulled: make(chan struct{})} }

// append adds the changes of commands whose entries follow index.
func (f *feed) append(index uint64, commands []state.Command, outcomes []state.Outcome) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, o := range outcomes {
		if len(o.Result.Changed) == 0 {
			continue
		}
		f.kept = append(f.kept, Change{
			Index: index + uint64(i) + 1, Revision: o.Result.Revision, Key: commands[i].Key, Cause: commands[i].Cause, Keys: o.Result.Changed,
			Origin: commands[i].Origin, Author: commands[i].Author, Reason: commands[i].Reason, Time: commands[i].Now,
		})
	}
	f.head = index + uint64(len(outcomes))
	if over := len(f.kept) - keptChanges; over > keptChanges/4 {
		f.from = f.kept[over-1].Index
		f.kept = slices.Clone(f.kept[over:])
	}
	f.wake()
}

// reset forgets everything up to an index: the state was replaced.
func (f *feed) reset(index uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.from, f.head, f.kept = index, index, nil
	f.wake()
}

func (f *feed) wake() {
	close(f.pulled)
	f.pulled = make(chan struct{})
}

// after returns the changes past an index, up to the head that is returned
// too, or a channel that is closed when there may be some. Where they are no
// longer kept, the head is the index after which changes are.
func (f *feed) after(index uint64) (changes []Change, head uint64, wait <-chan struct{}, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if index < f.from {
		return nil, f.from, nil, fmt.Errorf("changes after index %d are no longer kept: read the state and watch from its index: %w", index, model.ErrNotFound)
	}
	if f.head <= index {
		return nil, f.head, f.pulled, nil
	}
	at, _ := slices.BinarySearchFunc(f.kept, index+1, func(c Change, i uint64) int {
		if c.Index < i {
			return -1
		}
		return 1
	})
	return slices.Clone(f.kept[at:]), f.head, nil, nil
}

// Changes waits for entries past an index and returns what they changed,
// oldest first, with the index to ask from next. It fails with
// model.ErrNotFound where they are no longer kept, with the index from which
// on they are. There may be none: a refused command has an index too.
func (n *Node) Changes(ctx context.Context, index uint64) (changes []Change, next uint64, err error) {
	for {
		changes, head, wait, err := n.fsm.feed.after(index)
		if err != nil || wait == nil {
			return changes, head, err
		}
		select {
		case <-wait:
		case <-ctx.Done():
			return nil, index, ctx.Err()
		case <-n.stopped:
			return nil, index, errStopped
		}
	}
}

// Advanced is closed once there are entries past an index.
func (n *Node) Advanced(index uint64) <-chan struct{} { return n.fsm.feed.advanced(index) }

func (f *feed) advanced(index uint64) <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.head <= index {
		return f.pulled
	}
	done := make(chan struct{})
	close(done)
	return done
}
