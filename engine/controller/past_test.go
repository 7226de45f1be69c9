package controller

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/gantry-orchestrator/gantry/engine/backup"
	"github.com/gantry-orchestrator/gantry/engine/backup/archive"
	"github.com/gantry-orchestrator/gantry/engine/history"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

func TestChangesAreCommittedWhileTheHistoryIsStopped(t *testing.T) {
	dir := t.TempDir()
	blocked := filepath.Join(dir, "history")
	if err := os.WriteFile(blocked, nil, 0o600); err != nil { // where its directory would be
		t.Fatal(err)
	}
	w := begin(t, dir)
	if _, err := w.admin.AddModel(t.Context(), operator.AddModel{Name: "m"}); err != nil {
		t.Fatalf("a change without a history = %v", err)
	}
	if _, err := w.admin.ListHistory(t.Context(), operator.HistoryQuery{Model: "m"}); !errors.Is(err, model.ErrUnavailable) {
		t.Errorf("the history while it is stopped = %v, want class unavailable", err)
	}

	// Once it can be written it has what was committed before.
	if err := os.Remove(blocked); err != nil {
		t.Fatal(err)
	}
	var past operator.Past
	for deadline := time.Now().Add(patience); len(past.Entries) == 0; {
		if time.Now().After(deadline) {
			t.Fatal("the history did not catch up in time")
		}
		past, _ = w.admin.ListHistory(t.Context(), operator.HistoryQuery{Model: "m"})
	}
	if e := past.Entries[0]; e.Kind != "change" || e.By != "user/admin" || e.What != "add model m" {
		t.Errorf("the first entry is %+v, want the model's making by user/admin", e)
	}
}

func TestTheHistoryTellsWhatHappenedToAUnit(t *testing.T) {
	w := begin(t, t.TempDir())
	must(w.admin.AddModel(t.Context(), operator.AddModel{Name: "m"}))(t)
	must(w.admin.Deploy(t.Context(), operator.Deploy{Change: operator.Change{Reason: "for the test"}, Model: "m", Charm: "web", Units: 1}))(t)
	w.converge("m")
	unit := model.UnitName{Application: "web", Number: 0}
	var past operator.Past
	settled := func(e operator.StatusEntry) bool { return e.Kind == "agent" && e.Status == "idle" }
	for deadline := time.Now().Add(patience); ; {
		log := must(w.admin.StatusLog(t.Context(), operator.HistoryQuery{Model: "m", Entity: unit.String()}))(t)
		if len(log) > 0 && settled(log[len(log)-1]) || len(log) > 1 && settled(log[len(log)-2]) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the status log is %+v, want it to end idle", log)
		}
	}
	w.remembers("m", "for the test")
	past = must(w.admin.ListHistory(t.Context(), operator.HistoryQuery{Model: "m", Entity: unit.String()}))(t)
	if e := past.Entries[0]; e.Kind != "change" || e.Reason != "for the test" {
		t.Errorf("the first entry of %v is %+v, want its deployment with its reason", unit, e)
	}
	was := must(w.admin.StatusAt(t.Context(), "m", operator.Moment{Time: time.Now()}))(t)
	if len(was.Status.Applications) != 1 || len(was.Status.Applications[0].Units) != 1 {
		t.Errorf("the recorded status has %+v, want the unit", was.Status.Applications)
	}
}

func TestAHistoryThatOutlivesTwoRestoresHasTheChangesOfEach(t *testing.T) {
	if history.Backend == "dqlite" {
		t.Skip("a member of dqlite has its own history, and no other's")
	}
	old := begin(t, t.TempDir())
	must(old.admin.AddModel(old.ctx, operator.AddModel{Name: "m"}))(t)
	path, _ := old.backUp()
	kept := filepath.Join(old.dir, "history")
	if err := old.end(); err != nil {
		t.Fatal(err)
	}
	// Both lives begin with the same backup, and so with the same indexes.
	for _, why := range []string{"first life", "second life"} {
		dir := filepath.Join(t.TempDir(), "controller")
		must(backup.Restore(t.Context(), path, dir, archive.Opener{}, time.Now()))(t)
		if err := os.CopyFS(filepath.Join(dir, "history"), os.DirFS(kept)); err != nil {
			t.Fatal(err)
		}
		w := beginAlone(t, dir)
		must(w.admin.Deploy(w.ctx, operator.Deploy{Change: operator.Change{Reason: why}, Model: "m", Charm: "web", Units: 1}))(t)
		w.remembers("m", why)
		if why == "second life" {
			w.remembers("m", "first life")
		}
		if err := w.end(); err != nil {
			t.Fatal(err)
		}
		kept = filepath.Join(dir, "history")
	}
}

// remembers waits until the history has a change with a reason.
func (w *world) remembers(m model.ModelName, reason string) {
	w.t.Helper()
	var past operator.Past
	for deadline := time.Now().Add(patience); !slices.ContainsFunc(past.Entries, func(e operator.Entry) bool { return e.Reason == reason }); {
		if time.Now().After(deadline) {
			w.t.Fatalf("the history has no change because of %q: %+v", reason, past)
		}
		past, _ = w.admin.ListHistory(w.ctx, operator.HistoryQuery{Model: m})
	}
}
