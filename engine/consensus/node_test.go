package consensus

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/model"
)

// running is a node under test with what ends it.
type running struct {
	*Node
	end func() error
}

func start(t *testing.T, dir string) running {
	t.Helper()
	n, err := Open(member(t, "c1", dir, memberTLS(t)))
	if err != nil {
		t.Fatal(err)
	}
	return run(t, n)
}

func run(t *testing.T, n *Node) running {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var g errgroup.Group
	g.Go(func() error {
		return n.Run(ctx, func(ctx context.Context) error { <-ctx.Done(); return nil })
	})
	end := sync.OnceValue(func() error { cancel(); return g.Wait() })
	t.Cleanup(func() { _ = end() })
	return running{n, end}
}

func led(t *testing.T, n *Node) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := n.Led(ctx); err != nil {
		t.Fatal(err)
	}
}

func addModel(key, name string) state.Command {
	return state.Command{Key: key, Origin: state.Operator, Author: "user/test", Ops: []state.Op{
		state.AddModel{Model: model.ModelName(name), UUID: "uuid-" + name},
	}}
}

func propose(t *testing.T, n *Node, commands ...state.Command) []state.Outcome {
	t.Helper()
	outcomes, err := n.Propose(context.Background(), commands...)
	if err != nil {
		t.Fatal(err)
	}
	return outcomes
}

func encoded(t *testing.T, s state.State) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := s.Encode(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestASingleNodeIsReadyFast(t *testing.T) {
	began := time.Now()
	n := start(t, t.TempDir())
	led(t, n.Node)
	propose(t, n.Node, addModel("k", "a"))
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("open, election and the first commit took %v", took)
	} else {
		t.Logf("open, election and the first commit took %v", took)
	}
}

func TestARestartGivesTheSameEncodedState(t *testing.T) {
	for name, between := range map[string]func(*testing.T, *Node){
		"from the log alone": func(*testing.T, *Node) {},
		"from a snapshot and the log": func(t *testing.T, n *Node) {
			if err := n.Snapshot(); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			n := start(t, dir)
			led(t, n.Node)
			for i := range 20 {
				propose(t, n.Node, addModel("", fmt.Sprintf("before-%d", i)))
			}
			between(t, n.Node)
			for i := range 20 {
				propose(t, n.Node, addModel("", fmt.Sprintf("after-%d", i)), addModel("", fmt.Sprintf("after-%d", i)))
			}
			want := encoded(t, n.State())
			if err := n.end(); err != nil {
				t.Fatal(err)
			}
			again := start(t, dir)
			led(t, again.Node)
			if got := encoded(t, again.State()); !bytes.Equal(got, want) {
				t.Errorf("the state after the restart differs: %d bytes, was %d", len(got), len(want))
			}
		})
	}
}

func TestATornTailLosesNothingAcknowledged(t *testing.T) {
	dir := t.TempDir()
	n := start(t, dir)
	led(t, n.Node)
	for i := range 50 {
		propose(t, n.Node, addModel("", fmt.Sprintf("m-%d", i)))
	}
	want := encoded(t, n.State())
	if err := n.end(); err != nil {
		t.Fatal(err)
	}
	tear(t, dir)
	again := start(t, dir)
	led(t, again.Node)
	if got := encoded(t, again.State()); !bytes.Equal(got, want) {
		t.Error("the state after the torn tail differs")
	}
	propose(t, again.Node, addModel("", "next"))
	if _, ok := again.State().Model("next"); !ok {
		t.Error("the log takes no more after a torn tail")
	}
}

// tear leaves what a crash in the middle of a write leaves: the beginning of
// an entry behind the last whole one.
func tear(t *testing.T, dir string) {
	t.Helper()
	segments, err := filepath.Glob(filepath.Join(dir, "wal", "*.wal"))
	if err != nil || len(segments) == 0 {
		t.Fatalf("no segments of the log: %v", err)
	}
	b, err := os.ReadFile(segments[len(segments)-1])
	if err != nil {
		t.Fatal(err)
	}
	end := len(bytes.TrimRight(b, "\x00"))
	end += (8 - end%8) % 8
	f, err := os.OpenFile(segments[len(segments)-1], os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	// A frame header of type entry that claims more than follows.
	if _, err := f.WriteAt([]byte{1, 0, 0, 0, 200, 0, 0, 0, 'x', 'y'}, int64(end)); err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(int64(end) + 10); err != nil {
		t.Fatal(err)
	}
}

func TestARetryWithTheSameKeyHasNoSecondEffect(t *testing.T) {
	dir := t.TempDir()
	n := start(t, dir)
	led(t, n.Node)
	first := propose(t, n.Node, addModel("once", "a"))[0]
	if err := n.end(); err != nil {
		t.Fatal(err)
	}
	again := start(t, dir)
	led(t, again.Node)
	second := propose(t, again.Node, addModel("once", "a"))[0]
	if second.Err != nil || second.Result.Index != first.Result.Index {
		t.Errorf("the retry was told %+v, the first %+v", second, first)
	}
	if other := propose(t, again.Node, addModel("other", "a"))[0]; !errors.Is(other.Err, model.ErrConflict) {
		t.Errorf("another key was told %v, want a conflict", other.Err)
	}
}

func TestManyProposersShareEntries(t *testing.T) {
	n := start(t, t.TempDir())
	led(t, n.Node)
	before := n.raft.LastIndex()
	const proposers = 200
	g, ctx := errgroup.WithContext(context.Background())
	for i := range proposers {
		g.Go(func() error {
			name := "m-" + strconv.Itoa(i)
			outcomes, err := n.Propose(ctx, addModel("", name), addModel("", name))
			if err != nil {
				return err
			}
			if outcomes[0].Err != nil || !errors.Is(outcomes[1].Err, model.ErrConflict) {
				return fmt.Errorf("%s was told %v, %v", name, outcomes[0].Err, outcomes[1].Err)
			}
			if _, ok := n.State().Model(model.ModelName(name)); !ok {
				return fmt.Errorf("%s was acknowledged before it was applied", name)
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	if entries := n.raft.LastIndex() - before; entries >= proposers {
		t.Errorf("%d proposers took %d entries: none was shared", proposers, entries)
	}
}

func TestChangesResumeByIndex(t *testing.T) {
	n := start(t, t.TempDir())
	led(t, n.Node)
	at := n.State().Index()
	propose(t, n.Node, addModel("", "a"))
	propose(t, n.Node, addModel("", "b"))
	changes, next, err := n.Changes(context.Background(), at)
	if err != nil || len(changes) != 2 || next != n.State().Index() {
		t.Fatalf("changes %+v, next %d, error %v", changes, next, err)
	}
	if changes[1].Author != "user/test" || changes[1].Keys[0].Model != "b" {
		t.Errorf("the second change is %+v", changes[1])
	}
	resumed, _, err := n.Changes(context.Background(), changes[0].Index)
	if err != nil || len(resumed) != 1 || resumed[0].Index != changes[1].Index {
		t.Errorf("resumed after %d: %+v, %v", changes[0].Index, resumed, err)
	}
	var g errgroup.Group
	g.Go(func() error {
		got, _, err := n.Changes(context.Background(), next)
		if err == nil && (len(got) != 1 || got[0].Keys[0].Model != "c") {
			err = fmt.Errorf("a waiting reader got %+v", got)
		}
		return err
	})
	propose(t, n.Node, addModel("", "c"))
	if err := g.Wait(); err != nil {
		t.Error(err)
	}
}

func TestChangesThatAreNoLongerKeptAreSaidToBe(t *testing.T) {
	f := newFeed()
	for i := range uint64(2 * keptChanges) {
		f.append(i, make([]state.Command, 1), []state.Outcome{{Result: state.Result{Changed: []state.Key{{}}}}})
	}
	_, from, _, err := f.after(0)
	if !errors.Is(err, model.ErrNotFound) {
		t.Errorf("got %v, want not found", err)
	}
	if changes, _, _, err := f.after(from); err != nil || len(changes) < keptChanges || changes[0].Index != from+1 {
		t.Errorf("after index %d, where they begin, are %d changes, %v", from, len(changes), err)
	}
	changes, head, _, err := f.after(2*keptChanges - 3)
	if err != nil || len(changes) != 3 || head != 2*keptChanges {
		t.Errorf("the latest are %d up to %d, %v", len(changes), head, err)
	}
}

func TestAStoppedNodeSaysSo(t *testing.T) {
	n := start(t, t.TempDir())
	led(t, n.Node)
	if err := n.end(); err != nil {
		t.Fatal(err)
	}
	if _, err := n.Propose(context.Background(), addModel("", "a")); !errors.Is(err, model.ErrUnavailable) {
		t.Errorf("propose: %v, want unavailable", err)
	}
	if _, _, err := n.Changes(context.Background(), n.State().Index()); !errors.Is(err, model.ErrUnavailable) {
		t.Errorf("changes: %v, want unavailable", err)
	}
}
