package controller

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

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
	past = must(w.admin.ListHistory(t.Context(), operator.HistoryQuery{Model: "m", Entity: unit.String()}))(t)
	if e := past.Entries[0]; e.Kind != "change" || e.Reason != "for the test" {
		t.Errorf("the first entry of %v is %+v, want its deployment with its reason", unit, e)
	}
	was := must(w.admin.StatusAt(t.Context(), "m", operator.Moment{Time: time.Now()}))(t)
	if len(was.Status.Applications) != 1 || len(was.Status.Applications[0].Units) != 1 {
		t.Errorf("the recorded status has %+v, want the unit", was.Status.Applications)
	}
}
