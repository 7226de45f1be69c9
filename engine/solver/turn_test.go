package solver

import (
	"fmt"
	"testing"

	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/charm"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// restarts has every unit of an application restart under a turn when its
// level changes: it asks, restarts when granted, and needs a round for it.
type restarts struct {
	limit   int
	rank    map[string]int
	group   map[string]string
	ran     map[string]int64 // the level that each unit runs with
	busy    map[string]bool
	order   []string // of the restarts
	sick    map[string]bool
	silent  map[string]bool // answers nothing
	blocked map[string]bool // fails in its turn
}

func newRestarts(limit int) *restarts {
	return &restarts{
		limit: limit, rank: map[string]int{}, group: map[string]string{}, ran: map[string]int64{}, busy: map[string]bool{},
		sick: map[string]bool{}, silent: map[string]bool{}, blocked: map[string]bool{},
	}
}

func (x *restarts) react(i effect.Intent, r *effect.Report) {
	name := i.Spec.Unit.String()
	level, _ := i.Spec.Config["level"].(int64)
	if x.ran[name] == 0 {
		x.ran[name] = level // a first start needs no turn
	}
	r.Services = []effect.ServiceReport{{ID: "service/db", Healthy: !x.sick[name] && !x.busy[name]}}
	if x.silent[name] {
		r.Answered, r.Settled = false, false
		return
	}
	if x.ran[name] == level && !x.busy[name] {
		return
	}
	r.Settled = false
	r.Asks = []effect.Turn{{Name: "restart", Limit: x.limit, Rank: x.rank[name], Group: x.group[name]}}
	switch granted := len(i.Live.Grants) > 0; {
	case !granted:
	case x.blocked[name]:
		r.Status = model.Status{Level: model.Blocked, Message: "does not start"}
	case !x.busy[name]:
		x.busy[name] = true
		x.order = append(x.order, name)
	default:
		x.busy[name], x.ran[name] = false, level
		x.sick[name] = false
		// It holds the turn until it is taken, so it is not settled yet.
		r.Services[0].Healthy, r.Asks, r.Returned = true, nil, i.Live.Grants
	}
}

func (w *world) level(to int64) {
	w.t.Helper()
	w.do(state.SetConfig{Model: testModel, Application: "pg", Set: charm.Settings{"level": charm.IntValue(to)}})
}

func rolled(t *testing.T, units int, x *restarts) *world {
	w := newWorld(t)
	w.reaction = x.react
	w.deploy("pg", "db", units)
	w.settle()
	return w
}

func TestATurnRollsThroughTheUnitsOneAtATimeTheHighestRankLast(t *testing.T) {
	x := newRestarts(1)
	x.rank["pg/0"] = 2
	w := rolled(t, 3, x)
	w.watch = func(_, after state.State, _ bool) {
		if n := heldTurns(after, "pg"); n > 1 {
			t.Errorf("%d units hold the turn", n)
		}
	}
	w.level(5)
	w.settle()
	if got := fmt.Sprint(x.order); got != "[pg/1 pg/2 pg/0]" {
		t.Errorf("restarted in order %v", got)
	}
	if n := heldTurns(w.s, "pg"); n != 0 {
		t.Errorf("%d turns are still held", n)
	}
}

func TestATurnIsTakenOnlyFromWhoNamesItsGrant(t *testing.T) {
	x := newRestarts(1)
	w := rolled(t, 2, x)
	x.blocked["pg/0"] = true
	w.level(5)
	w.settle()
	held, _ := w.s.Turn(unitRef(t, "pg/0"), "restart")
	for _, tt := range []struct {
		name     string
		returned []effect.Grant
		held     bool
	}{
		{"it does not ask, which says nothing", nil, true},
		{"it gave an earlier grant back", []effect.Grant{{Turn: "restart", Token: held.Token - 1}}, true},
		{"it gave another turn back", []effect.Grant{{Turn: "leave", Token: held.Token}}, true},
		{"it gave this grant back", []effect.Grant{{Turn: "restart", Token: held.Token}}, false},
	} {
		w.reaction = func(_ effect.Intent, r *effect.Report) { r.Settled, r.Returned = false, tt.returned }
		w.settle()
		if got, _ := w.s.Turn(unitRef(t, "pg/0"), "restart"); got.Held != tt.held {
			t.Errorf("%s: held is %t", tt.name, got.Held)
		}
	}
}

func heldTurns(s state.State, name string) (n int) {
	for _, turn := range s.Turns(app(name)) {
		if turn.Held {
			n++
		}
	}
	return n
}

func TestNoTurnIsGrantedUntilEveryUnitHasAnswered(t *testing.T) {
	x := newRestarts(1)
	w := rolled(t, 3, x)
	x.silent["pg/2"] = true
	w.level(5)
	w.settle()
	if len(x.order) != 0 {
		t.Fatalf("%v restarted though pg/2 had not answered", x.order)
	}
	x.silent["pg/2"] = false
	w.settle()
	if len(x.order) != 3 {
		t.Errorf("restarted %v", x.order)
	}
}

func TestAnUnhealthyUnitIsRepairedFirstAndKeepsTheOthersWaiting(t *testing.T) {
	x := newRestarts(1)
	w := rolled(t, 3, x)
	x.sick["pg/2"] = true
	x.rank["pg/2"] = 9
	w.level(5)
	w.settle()
	if got := fmt.Sprint(x.order); got != "[pg/2 pg/0 pg/1]" {
		t.Errorf("restarted in order %v, want the sick one first", got)
	}
}

func TestAFailureInATurnPausesTheWave(t *testing.T) {
	x := newRestarts(2)
	w := rolled(t, 4, x)
	x.blocked["pg/0"] = true
	w.level(5)
	w.settle()
	if got := fmt.Sprint(x.order); got != "[pg/1]" {
		t.Errorf("restarted %v, want only who was granted with the one that failed", got)
	}
}

func TestUnitsOfAGroupCountAsOne(t *testing.T) {
	x := newRestarts(1)
	for _, name := range []string{"pg/0", "pg/1"} {
		x.group[name] = "rack-a"
	}
	for _, name := range []string{"pg/2", "pg/3"} {
		x.group[name] = "rack-b"
	}
	w := rolled(t, 4, x)
	most := 0
	w.watch = func(_, after state.State, _ bool) { most = max(most, heldTurns(after, "pg")) }
	w.level(5)
	w.settle()
	if len(x.order) != 4 || most != 2 {
		t.Errorf("restarted %v, at most %d at once; want a rack at a time", x.order, most)
	}
}

func TestAnUnreachableUnitCountsAgainstTheLimit(t *testing.T) {
	x := newRestarts(1)
	w := rolled(t, 3, x)
	w.dead[machineOf(w, "pg/2")] = true
	w.pass(effect.LeaseTerm)
	w.settle()
	w.level(5)
	w.settle()
	if len(x.order) != 0 {
		t.Errorf("%v restarted while pg/2 was away", x.order)
	}
}

func TestARevokedTurnIsTakenWhatEverItsHolderDoes(t *testing.T) {
	x := newRestarts(1)
	w := rolled(t, 3, x)
	x.blocked["pg/0"] = true
	w.level(5)
	w.settle()
	old, _ := w.s.Turn(unitRef(t, "pg/0"), "restart")
	w.do(state.EndTurn{Model: testModel, Unit: old.Unit, Turn: "restart"})
	if i, _ := IntentOf(w.s, unitRef(t, "pg/0")); len(i.Live.Grants) != 0 || i.Live.Serial < w.s.Index() {
		t.Errorf("grants %v at serial %d after the turn was revoked at %d", i.Live.Grants, i.Live.Serial, w.s.Index())
	}
	x.blocked["pg/0"] = false
	w.settle()
	if turn, _ := w.s.Turn(unitRef(t, "pg/0"), "restart"); turn.Token <= old.Token || turn.Held {
		t.Errorf("turn %+v after %+v, want a later one that has ended", turn, old)
	}
}

func TestTurnsWaitWhileAnOrderIsOpen(t *testing.T) {
	x := newRestarts(1)
	w := rolled(t, 2, x)
	w.do(state.StartOrder{Model: testModel, Application: "pg", ID: "o1", Name: "restore"})
	w.level(5)
	w.settle()
	if len(x.order) != 0 {
		t.Fatalf("%v restarted during an order", x.order)
	}
	w.do(state.CancelOrder{Model: testModel, Application: "pg", ID: "o1"})
	w.settle()
	if len(x.order) != 2 {
		t.Errorf("restarted %v after the order", x.order)
	}
}

func TestAnOrderAdvancesWhenEveryUnitHasReachedItsStage(t *testing.T) {
	w := newWorld(t)
	w.deploy("pg", "db", 2)
	w.settle()
	late := true
	w.reaction = func(i effect.Intent, r *effect.Report) {
		if o := i.Live.Order; o != nil && !(late && o.Stage == "wipe" && i.Spec.Unit.Number == 1) {
			r.Reached = o.Stage
		}
	}
	w.do(state.StartOrder{Model: testModel, Application: "pg", ID: "o1", Name: "restore"})
	w.settle()
	o, _ := w.s.OpenOrder(app("pg"))
	if o.StageName() != "wipe" {
		t.Fatalf("in stage %s, want wipe: pg/1 has not reached it", o.StageName())
	}
	if err := w.try(state.CancelOrder{Model: testModel, Application: "pg", ID: "o1"}); err == nil {
		t.Error("cancelled after its point of no return")
	}
	late = false
	w.settle()
	if o, _ := w.s.Order(app("pg"), "o1"); !o.Closed || o.Cancelled {
		t.Errorf("order %+v, want it done", o)
	}
}

func TestASilentUnitIsGrantedNothing(t *testing.T) {
	x := newRestarts(1)
	w := rolled(t, 3, x)
	x.silent["pg/2"] = true
	w.level(5)
	w.settle()
	for _, name := range []string{"pg/0", "pg/2"} {
		w.dead[machineOf(w, name)] = true
	}
	w.pass(effect.LeaseTerm)
	w.settle()
	if n := heldTurns(w.s, "pg"); n != 0 {
		t.Errorf("%d turns were granted to who is not there", n)
	}
}
