package solver

import (
	"bytes"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/charm"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// history drives a world with random changes, and keeps all the invariants
// under watch.
type history struct {
	*world
	t      *rapid.T
	rolls  *restarts
	stages map[model.UnitName]string // of the order that each unit saw last
	lost   bool                      // some machine does not answer
	wanted map[state.UnitRef]effect.Intent
	behind []state.Key // changed since the state that the marks have followed to
}

func newHistory(t *rapid.T) *history {
	h := &history{world: newWorld(t), t: t, rolls: newRestarts(1), stages: map[model.UnitName]string{}}
	h.rolls.rank["pg/0"] = 1
	h.watch = h.check
	h.seen.Marks.Begin(h.s)
	if every := rapid.IntRange(1, 4).Draw(t, "agents that are late, one in"); every > 1 {
		h.late = func(u model.UnitName, round int) bool { return (round+2*u.Number)%every == 0 }
	}
	h.reaction = func(i effect.Intent, r *effect.Report) {
		if i.Spec.Unit.Application == "pg" {
			h.rolls.react(i, r)
		}
		if o := i.Live.Order; o != nil {
			r.Reached = o.Stage
			h.stages[i.Spec.Unit] = o.Stage
		}
	}
	return h
}

// steps are the changes that a history is made of. Some are refused, as they
// would be to an operator.
func (h *history) steps() map[string]func() {
	names := []string{"pg", "pg2", "tm", "tm2", "px", "log"}
	charms := map[string]string{"pg": "db", "pg2": "db", "tm": "app", "tm2": "app", "px": "proxy", "log": "logger"}
	name := func() string { return rapid.SampledFrom(names).Draw(h.t, "application") }
	unit := func() (state.Unit, bool) {
		units := h.s.ModelUnits(testModel)
		if len(units) == 0 {
			return state.Unit{}, false
		}
		return rapid.SampledFrom(units).Draw(h.t, "unit"), true
	}
	return map[string]func(){
		"deploy": func() {
			n := name()
			units, to := 0, []state.Placement(nil)
			if c := charms[n]; c == "db" || c == "app" {
				units = rapid.IntRange(1, 3).Draw(h.t, "units")
				to = rapid.SampledFrom([][]state.Placement{nil, {{New: true}}, {{Machine: "0"}}, {{Application: "pg"}}}).Draw(h.t, "to")
			}
			_ = h.try(state.AddApplication{Model: testModel, Name: model.ApplicationName(n), Charm: model.CharmName(charms[n]), Hash: "h1", Units: units, To: to})
		},
		"add units": func() {
			_ = h.try(state.AddUnits{Model: testModel, Application: model.ApplicationName(name()), Count: rapid.IntRange(1, 2).Draw(h.t, "count")})
		},
		"remove a unit": func() {
			if u, ok := unit(); ok {
				_ = h.try(state.RemoveUnits{Model: testModel, Units: []model.UnitName{u.Name}})
			}
		},
		"remove an application": func() {
			_ = h.try(state.RemoveApplication{Model: testModel, Application: model.ApplicationName(name())})
		},
		"relate": func() {
			pairs := [][2]string{{"px:backend", "pg"}, {"px:client", "tm"}, {"px:client", "tm2"}, {"tm", "pg2"}, {"tm2", "pg"}, {"log", "tm"}, {"log", "pg"}}
			p := rapid.SampledFrom(pairs).Draw(h.t, "pair")
			_ = h.relate(p[0], p[1])
		},
		"remove a relation": func() {
			if all := h.s.ModelRelations(testModel); len(all) > 0 {
				_ = h.try(state.RemoveRelation{Model: testModel, Relation: rapid.SampledFrom(all).Draw(h.t, "relation").ID})
			}
		},
		"add a machine": func() { h.do(state.AddMachine{Model: testModel}) },
		"configure": func() {
			level := charm.IntValue(int64(rapid.IntRange(1, 9).Draw(h.t, "level")))
			_ = h.try(state.SetConfig{Model: testModel, Application: "pg", Set: charm.Settings{"level": level}})
		},
		"half a change": func() {
			_ = h.try(
				state.AddUnits{Model: testModel, Application: model.ApplicationName(name()), Count: 1},
				state.RemoveApplication{Model: testModel, Application: "nobody"},
			)
		},
		"publish": func() {
			if u, ok := unit(); ok {
				for _, r := range h.s.Relations(u.Ref().Application()) {
					_ = h.says(state.Publish{Model: testModel, Publication: effect.Publication{
						Unit: u.Name, Bags: []effect.Bag{{Relation: r.ID, Data: map[string]string{"n": fmt.Sprint(h.s.Index())}}},
					}})
				}
			}
		},
		"order": func() {
			_ = h.try(state.StartOrder{Model: testModel, Application: "pg", ID: fmt.Sprint("o", h.s.Index()), Name: "restore"})
		},
		"silence": func() {
			if u, ok := unit(); ok && u.Machine != "" {
				h.dead[state.MachineRef{Model: testModel, Machine: u.Machine}] = true
				h.lost = true
			}
		},
		"return": func() { h.dead, h.lost = map[state.MachineRef]bool{}, false },
		"sicken": func() {
			if u, ok := unit(); ok {
				h.rolls.sick[u.Name.String()] = true
			}
		},
		"a term passes": func() { h.pass(effect.LeaseTerm) },
		"a moment":      func() { h.round() },
		"another network": func() {
			h.do(state.SetNetwork{Model: testModel, CIDR: fmt.Sprintf("10.%d.0.0/16", h.s.Index()%250)})
		},
	}
}

func (h *history) run() {
	steps := h.steps()
	kinds := slices.Sorted(maps.Keys(steps))
	h.deploy("pg", "db", 3)
	for range rapid.IntRange(3, 14).Draw(h.t, "steps") {
		steps[rapid.SampledFrom(kinds).Draw(h.t, "step")]()
		if rapid.Bool().Draw(h.t, "rest") {
			h.settle()
			h.checkRest()
		}
	}
	h.settle()
	h.checkRest()
}

// check holds after every entry of the log, the solver's and others'.
func (h *history) check(before, after state.State, solving bool) {
	c := h.log[len(h.log)-1]
	changed := h.changed
	if changed == nil && !bytes.Equal(rows(h.t, before), rows(h.t, after)) {
		h.t.Fatalf("a refused command changed rows: %+v", c)
	}
	h.checkLife(before, after)
	h.checkLeases(before, after)
	h.checkIntents(after, changed)
	h.checkMarks(before, after, changed)
	if solving && changed != nil {
		h.checkTurn(before, c)
		h.checkTeardown(before, after)
		h.checkOrder(before, after)
	}
}

// rows are the bytes of a state but for its header, whose index advances.
func rows(t failer, s state.State) []byte {
	b := encoded(t, s)
	return b[bytes.Index(b, []byte("etable")):]
}

func (h *history) checkLife(before, after state.State) {
	for _, u := range after.ModelUnits(testModel) {
		old, ok := before.Unit(u.Ref())
		if !ok {
			continue
		}
		if u.Life < old.Life || old.Teardown && !u.Teardown {
			h.t.Fatalf("%v went back from %v to %v", u.Name, old.Life, u.Life)
		}
		if old.Machine != "" && u.Machine != old.Machine {
			h.t.Fatalf("%v moved from machine %s to %s", u.Name, old.Machine, u.Machine)
		}
	}
	for _, u := range before.ModelUnits(testModel) {
		if _, ok := after.Unit(u.Ref()); !ok {
			h.checkMourned(before, u)
		}
	}
	for _, m := range after.Machines(testModel) {
		if old, ok := before.Machine(m.Ref()); ok && m.Life < old.Life {
			h.t.Fatalf("machine %s went back to %v", m.Name, m.Life)
		}
		if m.Life == model.Dead {
			for _, u := range after.UnitsOn(m.Ref()) {
				if u.Life != model.Dead {
					h.t.Fatalf("machine %s is dead with %v on it", m.Name, u.Name)
				}
			}
		}
	}
}

// checkMourned: who was related to a forgotten unit has seen that it is gone.
func (h *history) checkMourned(before state.State, u state.Unit) {
	for _, v := range related(before, u) {
		r := h.seen.Reports[v.Ref()]
		if v.Life == model.Alive && h.hasMachine(before, v) && (!r.Settled || r.Generation < u.Turned) {
			h.t.Fatalf("%v was forgotten before %v saw that it is gone", u.Name, v.Name)
		}
	}
}

func (h *history) hasMachine(s state.State, u state.Unit) bool {
	m, ok := s.Machine(state.MachineRef{Model: u.Model, Machine: u.Machine})
	return ok && m.State == state.MachineReady
}

// checkTeardown: nobody that is alive and related has to find out later.
func (h *history) checkTeardown(before, after state.State) {
	for _, u := range after.ModelUnits(testModel) {
		old, _ := before.Unit(u.Ref())
		if old.Teardown || !u.Teardown {
			continue
		}
		a, _ := after.Application(u.Ref().Application())
		for _, v := range related(before, old) {
			r := h.seen.Reports[v.Ref()]
			exempt := a.Life != model.Alive && v.Name.Application == a.Name
			if v.Life == model.Alive && !exempt && h.hasMachine(before, v) && (!r.Settled || r.Generation < old.Turned) {
				h.t.Fatalf("%v is torn down before %v knew", u.Name, v.Name)
			}
		}
	}
}

func (h *history) checkLeases(before, after state.State) {
	for _, a := range after.Applications(testModel) {
		l, ok := after.Lease(a.Ref())
		old, had := before.Lease(a.Ref())
		if !ok || l == old {
			continue
		}
		if l.Token <= old.Token {
			h.t.Fatalf("lease of %s went from token %d to %d", a.Name, old.Token, l.Token)
		}
		u, there := before.Unit(state.UnitRef{Model: testModel, Unit: old.Holder})
		if had && there && h.leadsUnaware(u) && h.hasMachine(before, u) {
			h.t.Fatalf("%v lost the lease of %s before it knew that it leaves", old.Holder, a.Name)
		}
		if had && there && u.Life == model.Alive && !h.seen.Silent(state.MachineRef{Model: testModel, Machine: u.Machine}) {
			h.t.Fatalf("%v lost the lease of %s though it was heard", old.Holder, a.Name)
		}
	}
}

// checkIntents: a spec never changes without a higher generation, nor a live
// part without a higher serial; neither falls; and whose intent changed is
// among the affected.
func (h *history) checkIntents(after state.State, changed []state.Key) {
	affected := map[state.UnitRef]bool{}
	for _, u := range Affected(after, changed) {
		affected[u] = true
	}
	last := h.wanted
	h.wanted = map[state.UnitRef]effect.Intent{}
	for _, u := range after.ModelUnits(testModel) {
		was, had := last[u.Ref()]
		is, has := IntentOf(after, u.Ref())
		if (had != has || !reflect.DeepEqual(was, is)) && !affected[u.Ref()] {
			h.t.Fatalf("the intent of %v changed by %v and it is not among the affected", u.Name, changed)
		}
		if has {
			h.wanted[u.Ref()] = is
		}
		if !had || !has {
			continue
		}
		if is.Generation < was.Generation || was.Hash != is.Hash && is.Generation == was.Generation {
			h.t.Fatalf("%v: generation %d after %d, spec changed: %v, by %v", u.Name, is.Generation, was.Generation, was.Hash != is.Hash, changed)
		}
		if is.Live.Serial < was.Live.Serial || is.Live.Serial == was.Live.Serial && !reflect.DeepEqual(is.Live, was.Live) {
			h.t.Fatalf("%v: serial %d after %d by %v", u.Name, is.Live.Serial, was.Live.Serial, changed)
		}
	}
}

// checkTurn: a well unit is granted a turn only when all have answered, and no
// more are disrupted than the limit.
func (h *history) checkTurn(before state.State, c state.Command) {
	grant, ok := c.Ops[0].(state.GrantTurn)
	if !ok {
		return
	}
	disrupted := map[string]bool{}
	holders := 0
	for _, t := range before.Turns(app(string(grant.Unit.Application))) {
		if t.Held {
			disrupted[t.Unit.String()] = true
			holders++
		}
	}
	if holders >= max(1, grant.Ask.Limit) {
		h.t.Fatalf("%v got a turn that %d hold", grant.Unit, holders)
	}
	sick := func(r effect.Report) bool { return len(r.Services) > 0 && !r.Services[0].Healthy }
	if sick(h.seen.Reports[state.UnitRef{Model: testModel, Unit: grant.Unit}]) {
		return
	}
	for _, u := range before.Units(app(string(grant.Unit.Application))) {
		m := state.MachineRef{Model: testModel, Machine: u.Machine}
		r := h.seen.Reports[u.Ref()]
		i, _ := IntentOf(before, u.Ref())
		switch {
		case u.Life != model.Alive || !h.hasMachine(before, u):
		case h.seen.Silent(m) || sick(r):
			disrupted[u.Name.String()] = true
		case !r.Answered || r.Hash != i.Hash:
			h.t.Fatalf("%v got a turn before %v had answered", grant.Unit, u.Name)
		}
	}
	if disrupted[grant.Unit.String()] = true; len(disrupted) > max(1, grant.Ask.Limit) {
		h.t.Fatalf("%v got a turn: %d are disrupted", grant.Unit, len(disrupted))
	}
}

// checkOrder: no stage ends before every living unit saw it.
func (h *history) checkOrder(before, after state.State) {
	was, open := before.OpenOrder(app("pg"))
	if !open {
		return
	}
	is, ok := after.Order(app("pg"), was.ID)
	if !ok || is.Cancelled || is.Stage == was.Stage && !is.Closed {
		return
	}
	for _, u := range before.Units(app("pg")) {
		if u.Life == model.Alive && h.stages[u.Name] != was.StageName() {
			h.t.Fatalf("stage %s ended before %v saw it", was.StageName(), u.Name)
		}
	}
}

// checkRest holds whenever the solver has nothing more to do.
func (h *history) checkRest() {
	if commands, _ := Solve(h.s, Everything(), h.seen); len(commands) > 0 {
		h.t.Fatalf("a full solve finds what the incremental one did not: %+v", commands[0])
	}
	for _, u := range h.s.ModelUnits(testModel) {
		h.checkPlaced(u)
	}
	for _, a := range h.s.Applications(testModel) {
		h.checkLed(a)
		h.checkAccompanied(a)
	}
	if h.lost {
		return
	}
	for _, u := range h.s.ModelUnits(testModel) {
		if u.Life != model.Alive {
			h.t.Fatalf("%v is still %v", u.Name, u.Life)
		}
	}
	for _, m := range h.s.Machines(testModel) {
		if m.Life != model.Alive {
			h.t.Fatalf("machine %s is still %v", m.Name, m.Life)
		}
	}
}

// checkPlaced: a unit is on a machine that is there, and alone among principals
// where nobody placed it.
func (h *history) checkPlaced(u state.Unit) {
	if u.Life != model.Alive {
		return
	}
	m := state.MachineRef{Model: testModel, Machine: u.Machine}
	if machine, ok := h.s.Machine(m); ok != (u.Machine != "") || ok && machine.Life == model.Dead {
		h.t.Fatalf("%v is on machine %q, which is %v", u.Name, u.Machine, machine.Life)
	}
	if u.Machine == "" && u.To == (state.Placement{}) && u.Principal.IsZero() {
		h.t.Fatalf("%v has no machine", u.Name)
	}
	for _, v := range h.s.UnitsOn(m) {
		left := func(x state.Unit) bool { return x.Principal.IsZero() && x.To == (state.Placement{}) }
		if v.Name != u.Name && left(u) && left(v) {
			h.t.Fatalf("%v and %v share machine %s", u.Name, v.Name, u.Machine)
		}
	}
}

// checkLed: where a unit is alive and heard, one such unit leads.
func (h *history) checkLed(a state.Application) {
	heard := func(u state.Unit) bool {
		m := state.MachineRef{Model: testModel, Machine: u.Machine}
		return u.Life == model.Alive && h.hasMachine(h.s, u) && !h.seen.Silent(m)
	}
	if !slices.ContainsFunc(h.s.Units(a.Ref()), heard) {
		return
	}
	l, _ := h.s.Lease(a.Ref())
	u, ok := h.s.Unit(state.UnitRef{Model: testModel, Unit: l.Holder})
	if !ok || !heard(u) && !h.leadsUnaware(u) {
		h.t.Fatalf("%s is led by %v", a.Name, l.Holder)
	}
}

// leadsUnaware reports whether a unit that leaves may still lead: it was heard
// less than a term ago, and has not said that it knows.
func (h *history) leadsUnaware(u state.Unit) bool {
	return u.Life == model.Dying && h.seen.Reports[u.Ref()].Generation < u.Turned &&
		!h.seen.Silent(state.MachineRef{Model: testModel, Machine: u.Machine})
}

// checkAccompanied: a brute-force count of the subordinates that there must be.
func (h *history) checkAccompanied(a state.Application) {
	if !a.Subordinate || a.Life != model.Alive {
		return
	}
	want := map[model.UnitName]bool{}
	for _, u := range h.s.ModelUnits(testModel) {
		for _, r := range h.s.ModelRelations(testModel) {
			_, remote, joined := r.End(a.Name)
			if joined && r.Scope == model.ContainerScope && r.Life == model.Alive && remote.Application == u.Name.Application &&
				u.Life == model.Alive && u.Machine != "" {
				want[u.Name] = true
			}
		}
	}
	got := map[model.UnitName]bool{}
	for _, u := range h.s.Units(a.Ref()) {
		if u.Life != model.Alive {
			continue
		}
		principal, _ := h.s.Unit(state.UnitRef{Model: testModel, Unit: u.Principal})
		if got[u.Principal] || principal.Machine != u.Machine {
			h.t.Fatalf("%v does not fit %v", u.Name, u.Principal)
		}
		got[u.Principal] = true
	}
	if !h.lost && !maps.Equal(got, want) {
		h.t.Fatalf("%s accompanies %v, want %v", a.Name, got, want)
	}
}

func TestPropertyInvariantsHoldInEveryHistory(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { newHistory(t).run() })
}

func TestPropertyReplicasAgreeAndASnapshotWithItsTailIsTheWholeLog(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := newHistory(t)
		h.watch = nil
		h.run()
		cut := rapid.IntRange(0, len(h.log)).Draw(t, "cut")
		replayed, _ := state.Empty().ApplyBatch(h.log)
		head, _ := state.Empty().ApplyBatch(h.log[:cut])
		restored, err := state.Decode(bytes.NewReader(encoded(t, head)))
		if err != nil {
			t.Fatalf("%v", err)
		}
		wire, err := state.EncodeCommands(h.log[cut:])
		if err != nil {
			t.Fatalf("%v", err)
		}
		tail, err := state.DecodeCommands(wire)
		if err != nil {
			t.Fatalf("%v", err)
		}
		restored, _ = restored.ApplyBatch(tail)
		want := encoded(t, h.s)
		if !bytes.Equal(encoded(t, replayed), want) {
			t.Fatalf("a replica that replays the log differs")
		}
		if !bytes.Equal(encoded(t, restored), want) {
			t.Fatalf("snapshot at %d and tail differ from the whole log", cut)
		}
	})
}

func TestPropertyTheOrderOfChangesDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		changes := []func(*world) error{
			func(w *world) error { return w.relate("px:backend", "pg") },
			func(w *world) error { return w.relate("px:client", "tm") },
			func(w *world) error { return w.relate("log", "tm") },
			func(w *world) error { return w.relate("log", "pg") },
			func(w *world) error {
				return w.try(state.AddUnits{Model: testModel, Application: "tm", Count: 2})
			},
			func(w *world) error {
				return w.try(state.SetConfig{Model: testModel, Application: "pg", Set: charm.Settings{"level": charm.IntValue(3)}})
			},
		}
		build := func(order []int, rest bool) map[string]string {
			w := newWorld(t)
			w.deploy("pg", "db", 2)
			w.deploy("tm", "app", 1)
			w.deploy("px", "proxy", 0)
			w.deploy("log", "logger", 0)
			for _, i := range order {
				if err := changes[i](w); err != nil {
					t.Fatalf("%v", err)
				}
				if rest {
					w.settle()
				}
			}
			w.settle()
			return unnumbered(layout(w.s), "px", "log")
		}
		indices := make([]int, len(changes))
		for i := range indices {
			indices[i] = i
		}
		order := rapid.Permutation(indices).Draw(t, "order")
		want, got := build(indices, false), build(order, rapid.Bool().Draw(t, "rest"))
		if !maps.Equal(got, want) {
			t.Fatalf("in order %v:\n%v\nin the order written:\n%v", order, got, want)
		}
	})
}

// unnumbered counts the units of subordinates, whose numbers are those of
// whoever came first.
func unnumbered(units map[string]string, names ...string) map[string]string {
	got := map[string]string{}
	for unit, is := range units {
		u, _ := model.ParseUnitName(unit)
		if slices.Contains(names, string(u.Application)) {
			key := string(u.Application) + ": " + is
			got[key] += "I"
			continue
		}
		got[unit] = is
	}
	return got
}

func TestPropertyAnUnrelatedApplicationChangesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := newHistory(t)
		h.watch = nil
		h.run()
		intents := map[state.UnitRef]effect.Intent{}
		for _, u := range h.s.ModelUnits(testModel) {
			if i, ok := IntentOf(h.s, u.Ref()); ok {
				intents[u.Ref()] = i
			}
		}
		h.deploy("other", "app", rapid.IntRange(1, 3).Draw(t, "units"))
		h.settle()
		for ref, was := range intents {
			if is, _ := IntentOf(h.s, ref); !reflect.DeepEqual(is, was) {
				t.Fatalf("%v: %+v became %+v", ref.Unit, was, is)
			}
		}
	})
}

func TestPropertySolvingAgainFindsNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := newHistory(t)
		h.run()
		first, _ := Solve(h.s, Everything(), h.seen)
		h.deploy("more", "app", 2)
		once, _ := Solve(h.s, Everything(), h.seen)
		twice, _ := Solve(h.s, Everything(), h.seen)
		if fmt.Sprint(once) != fmt.Sprint(twice) {
			t.Fatalf("two solves of one state differ:\n%v\n%v", once, twice)
		}
		if len(first) != 0 || len(once) == 0 {
			t.Fatalf("%d commands at rest, %d after a change", len(first), len(once))
		}
	})
}
