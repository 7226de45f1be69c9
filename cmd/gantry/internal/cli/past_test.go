package cli_test

import (
	"context"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sync/errgroup"

	"github.com/gantry-orchestrator/gantry/engine/api"
	"github.com/gantry-orchestrator/gantry/engine/consensus"
	"github.com/gantry-orchestrator/gantry/engine/controller/recorder"
	"github.com/gantry-orchestrator/gantry/engine/history"
	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

// pastMark is the file of a story whose world has a history.
const pastMark = ".history"

// changeLog is a world as the recorder sees it.
type changeLog struct{ *world }

// Changes implements recorder.Log.
func (l changeLog) Changes(ctx context.Context, index uint64) (out []consensus.Change, next uint64, err error) {
	changes, next, err := l.world.Changes(ctx, index)
	for _, c := range changes {
		origin := state.Solver
		switch {
		case strings.HasPrefix(c.Author, "user/"):
			origin = state.Operator
		case c.Author == "agent":
			origin = state.Agents
		}
		out = append(out, consensus.Change{
			Index: c.Index, Revision: c.Revision, Author: c.Author, Reason: c.Reason, Keys: c.Keys, Origin: origin, Time: epoch,
		})
	}
	return out, next, err
}

// keepPast prepares the world's history.
func (w *world) keepPast(dir string) {
	w.past = history.New(history.Config{
		Dir: filepath.Join(dir, "history"), Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return epoch },
	})
}

// remember records the world in a history until the test ends.
func (w *world) remember(t testing.TB, service *api.Service) {
	quiet, now := slog.New(slog.DiscardHandler), func() time.Time { return epoch }
	r := recorder.New(recorder.Config{
		History: w.past, Log: changeLog{w}, Live: w, Members: func() []string { return nil }, Logger: quiet, Now: now,
		Status: service.Recorded,
	})
	ctx, stop := context.WithCancel(context.Background())
	var g errgroup.Group
	t.Cleanup(func() {
		stop()
		if err := g.Wait(); err != nil {
			t.Errorf("the history ended with %v", err)
		}
	})
	g.Go(func() error { return w.past.Run(ctx) })
	g.Go(func() error { return r.Lead(ctx) })
}

// recorded waits until the history has what the world came to.
func recorded(ts *testscript.TestScript, _ bool, _ []string) {
	w := ts.Value(worldKey{}).(*world)
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for {
		st := w.State()
		cursor, err := w.past.Cursor(ctx, "events")
		if err == nil && cursor == st.Index() {
			_, err = w.past.StatusAt(ctx, "default", operator.Moment{Revision: st.Revision()})
		}
		if err == nil && cursor == st.Index() && w.past.Flushed(ctx) == nil {
			return
		}
		select {
		case <-ctx.Done():
			ts.Fatalf("the history is at index %d of %d: %v", cursor, st.Index(), err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}
