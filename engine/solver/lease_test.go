package solver

import (
	"testing"
	"time"

	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

func machineOf(w *world, unit string) state.MachineRef {
	return state.MachineRef{Model: testModel, Machine: w.unit(unit).Machine}
}

func TestALeaseMovesOnlyAfterAFullTermOfSilence(t *testing.T) {
	w := newWorld(t)
	w.deploy("pg", "db", 3)
	w.settle()
	first, _ := w.s.Lease(app("pg"))
	w.dead[machineOf(w, "pg/0")] = true
	w.pass(effect.LeaseTerm - time.Millisecond)
	w.settle()
	if l, _ := w.s.Lease(app("pg")); l.Holder != first.Holder {
		t.Fatalf("moved to %v before the term was over", l.Holder)
	}
	w.pass(time.Millisecond)
	w.settle()
	l, _ := w.s.Lease(app("pg"))
	if l.Holder.String() != "pg/1" || l.Token <= first.Token {
		t.Errorf("lease %+v after %+v, want pg/1 under a higher token", l, first)
	}
}

func TestALeaseMovesOnceItsHolderKnowsThatItLeaves(t *testing.T) {
	w := newWorld(t)
	w.deploy("pg", "db", 3)
	w.settle()
	w.do(state.RemoveUnits{Model: testModel, Units: []model.UnitName{w.unit("pg/0").Name}})
	w.solve()
	if l, _ := w.s.Lease(app("pg")); l.Holder.String() != "pg/0" {
		t.Errorf("leader %v while pg/0 may still lead", l.Holder)
	}
	if in, _ := IntentOf(w.s, unitRef(t, "pg/0")); in.Live.Leader {
		t.Error("a unit that leaves is told to lead")
	}
	w.settle()
	if l, _ := w.s.Lease(app("pg")); l.Holder.String() != "pg/1" {
		t.Errorf("leader %v, want pg/1", l.Holder)
	}
}

func TestTheLastUnitLeadsUntilItHasLeft(t *testing.T) {
	w := newWorld(t)
	w.deploy("pg", "db", 1)
	w.settle()
	w.do(state.RemoveApplication{Model: testModel, Application: "pg"})
	if in, _ := IntentOf(w.s, unitRef(t, "pg/0")); !in.Live.Leader {
		t.Error("nobody leads the application that leaves")
	}
}

func TestALeaseStaysWhereNobodyElseCouldLead(t *testing.T) {
	w := newWorld(t)
	w.deploy("pg", "db", 1)
	w.settle()
	w.dead[machineOf(w, "pg/0")] = true
	w.pass(2 * effect.LeaseTerm)
	w.settle()
	if l, _ := w.s.Lease(app("pg")); l.Holder.String() != "pg/0" {
		t.Errorf("leader %v, want pg/0", l.Holder)
	}
}

func TestANewControllerListensForATermBeforeItMovesALease(t *testing.T) {
	w := newWorld(t)
	w.deploy("pg", "db", 2)
	w.settle()
	w.dead[machineOf(w, "pg/0")] = true
	w.seen = NewObserved(w.seen.Now.Add(time.Hour))
	w.dirty = Everything()
	w.settle()
	if l, _ := w.s.Lease(app("pg")); l.Holder.String() != "pg/0" {
		t.Errorf("moved to %v by a controller that has just begun to listen", l.Holder)
	}
}
