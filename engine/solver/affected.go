package solver

import (
	"maps"
	"slices"

	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/engine/state/tables"
	"github.com/gantry-orchestrator/gantry/model"
)

// Affected returns the units whose intents may differ after a change, sorted;
// among them may be some that have none any more.
func Affected(s state.State, changed []state.Key) []state.UnitRef {
	a := affected{State: s, units: map[state.UnitRef]bool{}, applications: map[state.ApplicationRef]bool{}}
	for _, k := range changed {
		a.add(k)
	}
	return slices.SortedFunc(maps.Keys(a.units), compareUnits)
}

type affected struct {
	state.State
	units        map[state.UnitRef]bool
	applications map[state.ApplicationRef]bool // all units of which are in
}

func (a *affected) add(k state.Key) {
	switch k.Table {
	case tables.Application, tables.Lease, tables.Order, tables.Claim, tables.Record:
		a.application(k.Application())
	case tables.Unit:
		if ref, ok := k.Unit(); ok {
			a.unit(ref)
		}
	case tables.Turn, tables.Warrant:
		if ref, ok := k.Unit(); ok {
			a.units[ref] = true
		}
	case tables.Relation, tables.Bag:
		if ref, ok := k.Relation(); ok {
			a.relation(ref)
		}
	case tables.Secret:
		a.secret(k)
	case tables.Machine:
		for _, u := range a.UnitsOn(state.MachineRef{Model: k.Model, Machine: model.MachineName(k.ID)}) {
			a.unit(u.Ref())
		}
	}
}

func (a *affected) application(r state.ApplicationRef) {
	if a.applications[r] {
		return
	}
	a.applications[r] = true
	for _, u := range a.Units(r) {
		a.units[u.Ref()] = true
	}
}

// unit adds a unit and all that see it.
func (a *affected) unit(r state.UnitRef) {
	a.units[r] = true
	u, ok := a.Unit(r)
	if !ok {
		return
	}
	for _, rel := range a.Relations(r.Application()) {
		_, remote, ok := rel.End(u.Name.Application)
		switch {
		case !ok:
		case rel.Scope == model.ContainerScope: // few see it
			for _, v := range counterparts(a.State, u, rel, remote.Application) {
				a.units[v.Ref()] = true
			}
		default:
			a.application(state.ApplicationRef{Model: u.Model, Application: remote.Application})
		}
	}
}

func (a *affected) relation(ref state.RelationRef) {
	r, ok := a.Relation(ref)
	if !ok {
		return
	}
	for _, e := range r.Ends {
		a.application(state.ApplicationRef{Model: r.Model, Application: e.Application})
	}
}

func (a *affected) secret(k state.Key) {
	s, ok := a.Secret(k.Model, k.ID)
	if !ok {
		return
	}
	a.application(state.ApplicationRef{Model: k.Model, Application: s.Owner.Application})
	for _, id := range s.Grants {
		a.relation(state.RelationRef{Model: k.Model, Relation: id})
	}
}
