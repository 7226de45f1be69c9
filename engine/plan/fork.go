package plan

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/gantry-orchestrator/gantry/engine/solver"
	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

// fork is the state as it would become.
type fork struct {
	Config
	model   model.ModelName
	before  state.State
	state   state.State
	seen    *solver.Observed
	dirty   solver.Dirty
	touched map[model.UnitName]*unit
	sure    map[model.UnitName]bool // whose intents follow from the change alone
	begun   map[model.ApplicationName]*workload
	turns   int // taken so far
	making  *solver.Intents
	guess   bool
}

func newFork(c Config, m model.ModelName, before, after state.State) *fork {
	f := &fork{
		Config: c, model: m, before: before, state: after, seen: solver.NewObserved(after.Now()),
		touched: map[model.UnitName]*unit{}, sure: map[model.UnitName]bool{}, begun: map[model.ApplicationName]*workload{},
	}
	for _, machine := range before.Machines(m) {
		f.seen.Heard[machine.Ref()] = f.seen.Now
	}
	for _, u := range before.ModelUnits(m) {
		if r, heard := c.Report(u.Ref()); heard {
			f.seen.Reports[u.Ref()] = f.settled(u.Ref(), r)
		}
	}
	var changed []state.Key
	for n := before.Revision() + 1; n <= after.Revision(); n++ {
		r, _ := after.RevisionAt(n)
		for _, image := range r.Before {
			changed = append(changed, image.Key)
		}
	}
	f.take(changed)
	return f
}

// settled is a report brought up to the intent before the change: the plan
// begins from a model that is at rest.
func (f *fork) settled(u state.UnitRef, r effect.Report) effect.Report {
	if in, ok := solver.IntentOf(f.before, u); ok {
		r.Generation, r.Hash, r.Serial, r.Settled, r.Answered, r.Asks = in.Generation, in.Hash, in.Live.Serial, true, true, nil
		r.Returned = in.Live.Grants
	}
	return r
}

// take notes what committed changes touch.
func (f *fork) take(changed []state.Key) {
	f.dirty.Merge(solver.DirtyOf(f.state, changed))
	for _, ref := range solver.Affected(f.state, changed) {
		if ref.Model != f.model || f.touched[ref.Unit] != nil && !f.touched[ref.Unit].idle {
			continue
		}
		if u := f.touched[ref.Unit]; u != nil {
			u.idle = false
		} else {
			f.touched[ref.Unit] = &unit{fork: f, ref: ref}
			f.sure[ref.Unit] = !f.guess
		}
		if f.guess {
			f.sure[ref.Unit] = false
		}
	}
}

// apply commits a command to the fork. One that is refused changes nothing:
// the real one would be tried again.
func (f *fork) apply(c state.Command) (state.Result, error) {
	c.Version, c.Now = state.FormatVersion, f.seen.Now
	next, result, err := f.state.Apply(c)
	f.state = next
	f.take(result.Changed)
	return result, err
}

// says commits what an agent would.
func (f *fork) says(ops ...state.Op) (state.Result, error) {
	f.guess = true
	defer func() { f.guess = false }()
	return f.apply(state.Command{Origin: state.Agents, Ops: ops})
}

// solve derives what follows, until nothing does. Machines that are asked for
// are taken to be made, those that are dead to be destroyed.
func (f *fork) solve() {
	for range maxRounds {
		dirty := f.dirty
		f.dirty = solver.Dirty{}
		commands, _ := solver.Solve(f.state, dirty, f.seen)
		for _, c := range commands {
			if _, err := f.apply(c); err != nil {
				f.dirty.Merge(dirty)
			}
		}
		if len(commands) == 0 && !f.provide() && f.dirty.Empty() {
			return
		}
	}
}

// placeholder is the address of a machine that is not made yet.
func placeholder(m model.MachineName) string { return "address-of-machine-" + string(m) }

func (f *fork) provide() (busy bool) {
	for _, m := range f.state.Machines(f.model) {
		switch {
		case m.Life == model.Dead:
			_, err := f.says(state.MachineGone{Model: f.model, Machine: m.Name})
			busy = busy || err == nil
		case m.State == state.MachineRequested && m.Life == model.Alive:
			f.seen.Heard[m.Ref()] = f.seen.Now
			_, err := f.apply(state.Command{Origin: state.Agents, Ops: []state.Op{
				state.MachineJoined{Model: f.model, Machine: m.Name, Address: placeholder(m.Name)},
			}})
			busy = busy || err == nil
		}
	}
	return busy
}

// carryOut lets every touched unit do what it can now.
func (f *fork) carryOut(ctx context.Context) (moved bool, err error) {
	names := slices.SortedFunc(maps.Keys(f.touched), model.CompareUnits)
	if err := f.askAhead(ctx, names); err != nil {
		return false, err
	}
	for _, name := range names {
		u := f.touched[name]
		if u.idle {
			continue
		}
		did, err := u.round(ctx)
		if err != nil {
			return false, err
		}
		moved = moved || did
	}
	if moved {
		return true, nil
	}
	return f.wait(names), nil
}

// wait lets time pass to when a charm wants to be asked again.
func (f *fork) wait(names []model.UnitName) bool {
	var next time.Time
	for _, name := range names {
		u := f.touched[name]
		if at := u.want.Revisit; !u.settled && at.After(f.seen.Now) && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	if next.IsZero() || next.Sub(f.before.Now()) > time.Hour {
		return false
	}
	f.seen.Now = next
	for m := range f.seen.Heard {
		f.seen.Heard[m] = next
	}
	for _, name := range names {
		f.touched[name].idle = false
	}
	return true
}

// placements are where units go that were on no machine before.
func (f *fork) placements() []operator.Placement {
	var all []operator.Placement
	for _, u := range f.state.ModelUnits(f.model) {
		if was, there := f.before.Unit(u.Ref()); u.Machine == "" || there && was.Machine == u.Machine {
			continue
		}
		_, made := f.before.Machine(state.MachineRef{Model: f.model, Machine: u.Machine})
		all = append(all, operator.Placement{Unit: u.Name, Machine: u.Machine, New: !made})
	}
	return all
}

// lines are the effects of all units on which there are any.
func (f *fork) lines() []operator.PlannedUnit {
	var units []*unit
	for _, u := range f.touched {
		if len(u.lines) > 0 {
			units = append(units, u)
		}
	}
	const never = int(^uint(0) >> 1)
	turn := func(u *unit) int {
		if u.turn == 0 {
			return never
		}
		return u.turn
	}
	slices.SortFunc(units, func(a, b *unit) int {
		return cmp.Or(cmp.Compare(turn(a), turn(b)), model.CompareUnits(a.ref.Unit, b.ref.Unit))
	})
	var all []operator.PlannedUnit
	for _, u := range units {
		all = append(all, operator.PlannedUnit{Unit: u.ref.Unit, Effects: u.lines})
	}
	return all
}
