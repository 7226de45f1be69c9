package supervise

import (
	"context"
	"errors"
	"testing"

	"github.com/gantry-orchestrator/gantry/model"
)

func TestSlowWatcherSeesTheLatestOfEachService(t *testing.T) {
	w := newWatcher()
	for i, id := range []string{"a", "b", "a", "a"} {
		w.put(Event{Process: Process{ID: id, Restarts: i}})
	}
	<-w.wake
	got := w.take()
	if len(got) != 2 || got[0].Process.ID != "a" || got[0].Process.Restarts != 3 || got[1].Process.Restarts != 1 {
		t.Errorf("events %+v", got)
	}
	if len(w.take()) != 0 {
		t.Error("events are told twice")
	}
}

func TestWatchTellsOfWhatIsThereAndOfRemoval(t *testing.T) {
	c := supervisorIn(t, testConfig(shortDir(t)))
	mustStart(t, c, shell("a", "exec sleep 1000"))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	removed := false
	for e, err := range c.Watch(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Removed {
			removed = true
			break
		}
		switch e.Process.State {
		case Running:
			if _, err := c.Stop(ctx, "a"); err != nil {
				t.Fatal(err)
			}
		case Stopped:
			if err := c.Remove(ctx, "a"); err != nil {
				t.Fatal(err)
			}
		}
	}
	if !removed {
		t.Error("the removal was not told")
	}
}

func TestRequestsToADeadSupervisorAreUnavailable(t *testing.T) {
	c := Dial(shortDir(t) + "/socket")
	if _, err := c.List(t.Context()); !errors.Is(err, model.ErrUnavailable) {
		t.Errorf("list: %v", err)
	}
	for _, err := range c.Watch(t.Context()) {
		if !errors.Is(err, model.ErrUnavailable) {
			t.Errorf("watch: %v", err)
		}
	}
}

func TestErrorsKeepTheirClassAcrossTheSocket(t *testing.T) {
	for _, class := range []error{model.ErrNotFound, model.ErrConflict, model.ErrInvalid, model.ErrDenied, model.ErrFrozen, model.ErrUnavailable} {
		if f := toFailure(errors.Join(errors.New("x"), class)); !errors.Is(&failure{f.Message, f.Class}, class) {
			t.Errorf("%v became %v", class, f)
		}
	}
	if toFailure(nil) != nil {
		t.Error("no error became one")
	}
}
