package e2e

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/gantry-orchestrator/gantry/engine/client"
	"github.com/gantry-orchestrator/gantry/engine/consensus/linear"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

// How many operators write at once, and into how many registers: each is the
// message of an application without units.
const (
	writerCount = 16
	registers   = 8
	pace        = 20 * time.Millisecond // of one writer, between two writes
)

const journalModel model.ModelName = "ledger"

// writers write without end, each write under a key of its own until it is
// acknowledged, and read in between.
type writers struct {
	install  *install
	history  linear.History
	revision uint64 // before the first write
	cancel   context.CancelFunc
	group    errgroup.Group

	mu       sync.Mutex
	acks     []time.Time
	revised  map[uint64]int // how many writes were answered with a revision
	failures []error
}

// begin starts writers on an install.
func begin(t testing.TB, in *install) *writers {
	t.Helper()
	in.gantry(t, "add-model", string(journalModel))
	w := &writers{install: in, revised: map[uint64]int{}}
	c := w.dial(t)
	var bundle strings.Builder
	bundle.WriteString("applications:\n")
	for i := range registers {
		fmt.Fprintf(&bundle, "  r%c: {charm: beacon, num_units: 0}\n", 'a'+i)
	}
	if _, err := c.Apply(t.Context(), operator.Apply{Model: journalModel, Bundle: []byte(bundle.String())}); err != nil {
		t.Fatal(err)
	}
	status, err := c.Status(t.Context(), journalModel)
	if err != nil {
		t.Fatal(err)
	}
	w.revision = status.Model.Revision
	ctx, cancel := context.WithCancel(context.Background())
	w.cancel = cancel
	for i := range writerCount {
		c := w.dial(t)
		w.group.Go(func() error { w.write(ctx, c, i); return nil })
	}
	t.Cleanup(func() {
		cancel()
		_ = w.group.Wait()
	})
	return w
}

func (w *writers) dial(t testing.TB) *client.Client {
	t.Helper()
	identity, err := client.Load(w.install.dir + "/controller/admin.json")
	if err != nil {
		t.Fatal(err)
	}
	c, err := client.Dial(identity)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// write is one writer's life.
func (w *writers) write(ctx context.Context, c *client.Client, i int) {
	register := fmt.Sprintf("r%c", 'a'+i%registers)
	for n := 0; ctx.Err() == nil; n++ {
		value := fmt.Sprintf("writer %d, value %d", i, n)
		call := w.history.Write(i, register, value)
		revision, err := w.set(c, register, value)
		if err != nil {
			call.Unknown()
			w.mu.Lock()
			w.failures = append(w.failures, err)
			w.mu.Unlock()
			continue
		}
		call.Done("")
		w.mu.Lock()
		w.acks = append(w.acks, time.Now())
		w.revised[revision]++
		w.mu.Unlock()
		if n%5 == 0 {
			w.read(c, i, register)
		}
		select {
		case <-time.After(pace):
		case <-ctx.Done():
		}
	}
}

// set sends one write, again under its key until there is an answer.
func (w *writers) set(c *client.Client, register, value string) (uint64, error) {
	r := operator.SetConfig{
		Change: operator.Change{Key: uuid.NewString()}, Model: journalModel,
		Application: model.ApplicationName(register), Set: map[string]string{"message": value},
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for {
		done, err := c.SetConfig(ctx, r)
		if !errors.Is(err, model.ErrUnavailable) || ctx.Err() != nil {
			return done.Revision, err
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func (w *writers) read(c *client.Client, i int, register string) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	call := w.history.Read(i, register)
	config, err := c.Config(ctx, journalModel, model.ApplicationName(register))
	if err != nil || c.Stale() != "" {
		call.Unknown()
		return
	}
	for _, o := range config {
		if o.Name == "message" {
			value := fmt.Sprint(o.Value)
			if !strings.HasPrefix(value, "writer ") {
				value = "" // the default
			}
			call.Done(value)
		}
	}
}

// flow waits until writes are acknowledged that are later than some time.
func (w *writers) flow(t testing.TB, since time.Time) {
	t.Helper()
	eventually(t, 30*time.Second, "writes are acknowledged", func() error {
		w.mu.Lock()
		defer w.mu.Unlock()
		if len(w.acks) > 0 && w.acks[len(w.acks)-1].After(since) {
			return nil
		}
		return errors.Join(append([]error{errors.New("none")}, w.failures...)...)
	})
}

// gap is the longest time without an acknowledged write since some time.
func (w *writers) gap(since time.Time) (longest time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	last := since
	for _, at := range w.acks {
		if at.After(since) {
			longest, last = max(longest, at.Sub(last)), at
		}
	}
	return longest
}

// end stops the writers once each has its answer.
func (w *writers) end(t testing.TB) {
	t.Helper()
	w.cancel()
	if err := w.group.Wait(); err != nil {
		t.Fatal(err)
	}
}

func (w *writers) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.acks)
}

// audit checks that every write that was acknowledged happened, and once: each
// had a revision of its own, and there are none besides but those of so many
// other changes; and that one order of all writes explains every read.
func (w *writers) audit(t testing.TB, others uint64) {
	t.Helper()
	if len(w.failures) > 0 {
		t.Errorf("%d writes had no answer in the end: %v", len(w.failures), w.failures[0])
	}
	for revision, times := range w.revised {
		if times > 1 {
			t.Errorf("revision %d answers %d writes", revision, times)
		}
	}
	last := workspace{w.install, string(journalModel)}.status(t).Model.Revision
	if made := last - w.revision - others; made != uint64(len(w.acks)) {
		t.Errorf("%d writes were acknowledged, and %d revisions made", len(w.acks), made)
	}
	if err := w.history.Check(time.Minute); err != nil {
		t.Error(err)
	}
}
