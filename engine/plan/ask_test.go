package plan_test

import (
	"context"
	"testing"
	"time"

	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// meeting answers only once two are asked at the same time.
type meeting struct {
	charms
	both chan struct{}
}

func (m meeting) Reconcile(ctx context.Context, c effect.Charm, in effect.Input) (effect.Desired, error) {
	m.mu.Lock()
	if m.asked["met"]++; m.asked["met"] == 2 {
		close(m.both)
	}
	m.mu.Unlock()
	select {
	case <-m.both:
		return m.charms.Reconcile(ctx, c, in)
	case <-time.After(10 * time.Second):
		return effect.Desired{}, context.DeadlineExceeded
	}
}

func TestUnitsAreAskedAtTheSameTime(t *testing.T) {
	w := newWorld(t)
	c := w.config()
	c.Charms = meeting{w.charms, make(chan struct{})}
	if _, err := c.Plan(t.Context(), sandbox, w.state, w.after(set("good morning"))); err != nil {
		t.Fatal(err)
	}
}

// A unit's charm is asked what is there, what there is to be, and once more
// with that done; not again for what it has answered.
func TestACharmIsNotAskedTheSameAgain(t *testing.T) {
	w := newWorld(t)
	if _, err := w.planned(state.AddUnits{Model: sandbox, Application: "other", Count: 3}); err != nil {
		t.Fatal(err)
	}
	var again int
	for q, n := range w.charms.put {
		if n > 1 {
			again++
			t.Logf("%d times: %.300s", n, q)
		}
	}
	if again > 0 {
		t.Errorf("%d questions were put more than once", again)
	}
}
