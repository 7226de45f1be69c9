package plan

import (
	"context"

	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// begins makes the workload of an application whose charm has a twin, with all
// of its units as they are before the change. One of them comes first, as the
// founder does; which one, shows in what the twin would then have reported.
func (f *fork) begins(ctx context.Context, app model.ApplicationName) error {
	if _, done := f.begun[app]; done || f.Workload == nil {
		return nil
	}
	f.begun[app] = nil
	ref := state.ApplicationRef{Model: f.model, Application: app}
	a, ok := f.state.Application(ref)
	if !ok {
		return nil
	}
	if _, twin := f.Workload(a.Charm); !twin {
		return nil
	}
	var units []*unit
	for _, row := range f.before.Units(ref) {
		u := f.touched[row.Name]
		if u == nil {
			u = &unit{fork: f, ref: row.Ref(), idle: true}
			f.touched[row.Name] = u
		}
		if !u.begun {
			if err := u.begin(ctx); err != nil {
				return err
			}
		}
		units = append(units, u)
	}
	f.begun[app] = f.likest(a.Charm, units)
	return nil
}

// likest is the workload whose answers are most like the reported facts.
func (f *fork) likest(charm model.CharmName, units []*unit) *workload {
	var best *workload
	most := -1
	for first := range max(1, len(units)) {
		w, _ := f.Workload(charm)
		replay(w, units, first)
		candidate := &workload{Workload: w, before: map[reading]string{}, units: units}
		alike := 0
		for _, u := range units {
			for _, p := range u.want.Probes {
				value, known := w.Read(u.ref.Unit, p)
				if known {
					candidate.before[reading{u.ref.Unit, p.ID}] = value
				}
				alike += likeness(u.base[p.ID].Value, value)
			}
		}
		if alike > most {
			best, most = candidate, alike
		}
	}
	return best
}

// replay has a workload come about: the first unit, what is done once for all,
// and then the others.
func replay(w Workload, units []*unit, first int) {
	for i := range units {
		u := units[i]
		switch i {
		case 0:
			u = units[first]
		case first:
			u = units[0]
		}
		u.replay(w, effect.Start)
		if i == 0 {
			for _, other := range units {
				other.replayTasks(w, u, effect.ApplicationScope)
			}
			u.replay(w, effect.Restart)
		}
		u.replayTasks(w, u, effect.UnitScope)
	}
}

// replay starts the unit's services on their volumes, or restarts them.
func (u *unit) replay(w Workload, kind effect.StepKind) {
	for _, a := range u.journal {
		switch {
		case a.Effect.Volume != nil && kind == effect.Start:
			w.Do(u.ref.Unit, u.seen.Spec.Address, effect.Step{Kind: effect.Stamp, ID: a.Effect.ID(), Effect: a.Effect}, nil, "")
		case a.Effect.Service != nil && !a.Effect.Service.Stopped:
			w.Do(u.ref.Unit, u.seen.Spec.Address, effect.Step{Kind: kind, ID: a.Effect.ID(), Effect: a.Effect}, u.files(), u.incarnation(a.Effect.Service.Volume))
		}
	}
}

// replayTasks runs the tasks of a scope that a unit wants still, as another.
func (u *unit) replayTasks(w Workload, as *unit, scope effect.Scope) {
	for i := range u.want.Tasks {
		if t := u.want.Tasks[i]; t.Scope == scope && t.Turn == nil {
			w.Do(as.ref.Unit, as.seen.Spec.Address, effect.Step{Kind: effect.Run, ID: t.ID, Effect: effect.Effect{Task: &t}}, nil, "")
		}
	}
}

// likeness counts what two values have in common.
func likeness(a, b string) int {
	if a == b {
		return 2
	}
	x, y := fields(a), fields(b)
	alike := 0
	for key, value := range x {
		if other, there := y[key]; there && other == value {
			alike++
		}
	}
	return alike
}
