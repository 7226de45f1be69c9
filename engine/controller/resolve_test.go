package controller

import (
	"errors"
	"strings"
	"testing"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

func TestAnOperatorResolvesAUnitsOwnTask(t *testing.T) {
	w := begin(t, t.TempDir())
	must(w.admin.AddModel(w.ctx, operator.AddModel{Name: "m"}))(t)
	must(w.admin.Deploy(w.ctx, operator.Deploy{Model: "m", Charm: "db"}))(t)
	w.converge("m")
	a := w.agentOf("m", "db/0")
	a.mu.Lock()
	a.unknown = "task/init"
	a.mu.Unlock()
	own := operator.ResolveTask{Model: "m", Unit: model.UnitName{Application: "db"}, Task: "task/init", Done: true}
	if _, err := w.admin.ResolveTask(w.ctx, own); err != nil {
		t.Fatal(err)
	}
	_, err := w.admin.ResolveTask(w.ctx, own)
	if !errors.Is(err, model.ErrConflict) || !strings.Contains(err.Error(), "its outcome is not unknown") {
		t.Errorf("a task that is resolved already: %v", err)
	}
	own.Unit.Number = 7
	if _, err := w.admin.ResolveTask(w.ctx, own); !errors.Is(err, model.ErrNotFound) {
		t.Errorf("a unit that is not there: %v", err)
	}
}
