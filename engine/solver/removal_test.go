package solver

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

func TestAUnitDrainsUntilAllThatSeeItHaveSettled(t *testing.T) {
	w := newWorld(t)
	w.deploy("pg", "db", 3)
	w.settle()
	busy := true
	w.reaction = func(i effect.Intent, r *effect.Report) {
		if i.Spec.Unit.String() == "pg/1" {
			r.Settled = !busy
		}
	}
	w.do(state.RemoveUnits{Model: testModel, Units: []model.UnitName{w.unit("pg/2").Name}})
	w.settle()
	if u := w.unit("pg/2"); u.Life != model.Dying || u.Teardown {
		t.Fatalf("pg/2 is %v, teardown %v, though pg/1 has not settled", u.Life, u.Teardown)
	}
	busy = false
	w.settle()
	if _, ok := w.s.Unit(unitRef(t, "pg/2")); ok {
		t.Error("pg/2 is still there after all have settled")
	}
}

func TestAHoldKeepsAUnitAndIsExplainedOnceItIsOverdue(t *testing.T) {
	w := newWorld(t)
	w.deploy("pg", "db", 3)
	w.settle()
	leaving := w.unit("pg/2").Name
	hold := true
	progress := "1 of 9"
	w.reaction = func(i effect.Intent, r *effect.Report) {
		if i.Spec.Unit == leaving && i.Spec.Life == model.Dying && hold {
			r.Holds = []effect.Hold{{Subject: leaving, Reason: "is still a voter", Progress: progress}}
			r.Settled = false
		}
	}
	w.do(state.RemoveUnits{Model: testModel, Units: []model.UnitName{leaving}})
	w.settle()
	explained := func() Blocked {
		t.Helper()
		_, blocked := Solve(w.s, Everything(), w.seen)
		i := slices.IndexFunc(blocked, func(b Blocked) bool { return b.Subject == "pg/2" })
		if i < 0 {
			t.Fatalf("pg/2 is not explained: %+v", blocked)
		}
		return blocked[i]
	}
	w.pass(DepartureDeadline - time.Second)
	if b := explained(); b.Overdue {
		t.Errorf("overdue before its deadline: %+v", b)
	}
	progress = "2 of 9"
	w.settle()
	w.pass(DepartureDeadline - time.Second)
	if b := explained(); b.Overdue {
		t.Errorf("progress did not start the deadline anew: %+v", b)
	}
	w.pass(2 * time.Second)
	b := explained()
	if !b.Overdue || b.Holder != "pg/2" || b.Reason != "is still a voter" || !strings.Contains(b.Command, "gantry remove-unit pg/2 --force") {
		t.Errorf("explained as %+v", b)
	}
	if u := w.unit("pg/2"); u.Teardown {
		t.Error("the deadline forced the unit out")
	}
	hold = false
	w.settle()
	if _, ok := w.s.Unit(unitRef(t, "pg/2")); ok {
		t.Error("pg/2 stays though nothing holds it")
	}
}

func TestMembershipHoldsDoNotKeepAWholeApplication(t *testing.T) {
	w := newWorld(t)
	w.deploy("pg", "db", 3)
	w.settle()
	w.reaction = func(i effect.Intent, r *effect.Report) {
		if i.Spec.Life == model.Dying {
			r.Holds = []effect.Hold{{Subject: i.Spec.Unit, Reason: "is still a voter"}}
			r.Settled = false
		}
	}
	w.do(state.RemoveApplication{Model: testModel, Application: "pg"})
	w.settle()
	if _, ok := w.s.Application(app("pg")); ok {
		t.Error("pg is still there")
	}
}

func TestATombstoneStaysUntilPeersHaveSeenThatItIsGone(t *testing.T) {
	w := newWorld(t)
	w.deploy("pg", "db", 2)
	w.settle()
	seenGone := false
	w.watch = func(before, after state.State, _ bool) {
		if _, was := before.Unit(unitRef(t, "pg/1")); !was {
			return
		}
		if _, is := after.Unit(unitRef(t, "pg/1")); !is && !seenGone {
			t.Error("the tombstone went before pg/0 saw it")
		}
	}
	w.reaction = func(i effect.Intent, _ *effect.Report) {
		for _, r := range i.Spec.Relations {
			seenGone = seenGone || slices.ContainsFunc(r.Units, func(u effect.Remote) bool { return u.Gone })
		}
	}
	w.do(state.RemoveUnits{Model: testModel, Units: []model.UnitName{w.unit("pg/1").Name}})
	w.settle()
	if _, ok := w.s.Unit(unitRef(t, "pg/1")); ok || !seenGone {
		t.Errorf("tombstone there %v, pg/0 saw it %v", ok, seenGone)
	}
	i, _ := IntentOf(w.s, unitRef(t, "pg/0"))
	if len(i.Spec.Relations[0].Units) != 0 {
		t.Errorf("pg/0 still sees %v", i.Spec.Relations[0].Units)
	}
}

func TestForceNeedsAMachineThatCannotComeBack(t *testing.T) {
	w := newWorld(t)
	w.deploy("pg", "db", 3)
	w.settle()
	u := w.unit("pg/2")
	force := state.RemoveUnits{Model: testModel, Units: []model.UnitName{u.Name}, Force: true}
	if err := w.try(force); !errors.Is(err, model.ErrConflict) {
		t.Fatalf("force on a running machine: %v, want a conflict", err)
	}
	m := state.MachineRef{Model: testModel, Machine: u.Machine}
	w.dead[m] = true
	w.do(state.AcknowledgeLost{Model: testModel, Machine: u.Machine})
	w.do(force)
	w.settle()
	if _, ok := w.s.Unit(u.Ref()); ok {
		t.Error("the unit is still there")
	}
	left := w.s.Leftovers(testModel)
	if len(left) != 1 || left[0].Unit != u.Name || len(left[0].Items) == 0 {
		t.Errorf("leftovers %+v, want those of pg/2", left)
	}
}

func TestAPrincipalIsTornDownBeforeItsSubordinateLeaves(t *testing.T) {
	w := newWorld(t)
	w.deploy("pg", "db", 1)
	w.deploy("tm", "app", 1)
	w.deploy("px", "proxy", 0)
	for _, pair := range [][2]string{{"px:backend", "pg"}, {"tm", "px"}} {
		if err := w.relate(pair[0], pair[1]); err != nil {
			t.Fatal(err)
		}
	}
	w.settle()
	w.watch = func(_, after state.State, _ bool) {
		principal, there := after.Unit(unitRef(t, "tm/0"))
		sub, ok := after.Unit(unitRef(t, "px/0"))
		if there && ok && principal.Life == model.Alive && sub.Life != model.Alive ||
			there && ok && !principal.Teardown && sub.Life != model.Alive {
			t.Errorf("px/0 is %v while tm/0 is %v and not torn down", sub.Life, principal.Life)
		}
	}
	w.do(state.RemoveApplication{Model: testModel, Application: "tm"})
	w.settle()
	if got := unitNames(w.s.ModelUnits(testModel)); !slices.Equal(got, []string{"pg/0"}) {
		t.Errorf("left are %v", got)
	}
}

func TestARemovedRelationTakesTheSubordinatesThatItBrought(t *testing.T) {
	w := newWorld(t)
	w.deploy("tm", "app", 2)
	w.deploy("log", "logger", 0)
	if err := w.relate("log", "tm"); err != nil {
		t.Fatal(err)
	}
	w.settle()
	if n := len(w.s.Units(app("log"))); n != 2 {
		t.Fatalf("%d subordinates, want 2", n)
	}
	w.do(state.RemoveRelation{Model: testModel, Relation: w.s.Relations(app("log"))[0].ID})
	w.settle()
	if got := unitNames(w.s.ModelUnits(testModel)); !slices.Equal(got, []string{"tm/0", "tm/1"}) {
		t.Errorf("units %v", got)
	}
	if n := len(w.s.Relations(app("tm"))); n != 0 {
		t.Errorf("%d relations left", n)
	}
}

func TestAMachineThatTheSolverAskedForGoesWithItsLastUnit(t *testing.T) {
	w := newWorld(t)
	w.do(state.AddMachine{Model: testModel})
	w.deploy("tm", "app", 2)
	w.settle()
	w.do(state.RemoveApplication{Model: testModel, Application: "tm"})
	w.settle()
	machines := w.s.Machines(testModel)
	if len(machines) != 1 || !machines[0].Manual {
		t.Errorf("left are %+v, want the operator's machine only", machines)
	}
}

func TestStorageIsDestroyedUnderAWarrantOnly(t *testing.T) {
	for _, destroy := range []bool{false, true} {
		w := newWorld(t)
		w.deploy("pg", "db", 1)
		w.settle()
		w.do(state.RemoveUnits{Model: testModel, Units: []model.UnitName{w.unit("pg/0").Name}, DestroyStorage: destroy})
		i, ok := IntentOf(w.s, unitRef(t, "pg/0"))
		if !ok || (len(i.Live.Warrants) == 1) != destroy {
			t.Errorf("destroy-storage %v gives warrants %v", destroy, i.Live.Warrants)
		}
	}
}

func TestForgettingAUnitBringsUpItsMachine(t *testing.T) {
	w := newWorld(t)
	w.deploy("pg", "db", 1)
	w.settle()
	u := w.unit("pg/0")
	for _, to := range []state.Advance{
		{Subject: u.Ref().Key(), To: state.Drain},
		{Subject: u.Ref().Key(), To: state.Teardown},
		{Subject: u.Ref().Key(), To: state.Bury},
		{Subject: u.Ref().Key(), To: state.Forget},
	} {
		if _, err := w.apply(state.Command{Origin: state.Solver, Author: "solver", Ops: []state.Op{to}}); err != nil {
			t.Fatal(err)
		}
	}
	// Whoever reads only this last change sees the row no more.
	d := DirtyOf(w.s, w.changed)
	if _, machines, _ := d.resolve(w.s); !slices.Contains(machines, state.MachineRef{Model: u.Model, Machine: u.Machine}) {
		t.Errorf("machine %s is not solved again, only %v", u.Machine, machines)
	}
}
