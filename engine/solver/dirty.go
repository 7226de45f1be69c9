package solver

import (
	"cmp"
	"maps"
	"slices"

	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/engine/state/tables"
	"github.com/gantry-orchestrator/gantry/model"
)

// Dirty says what is to be solved again. The zero value is nothing.
type Dirty struct {
	all          bool
	applications map[state.ApplicationRef]bool
	machines     map[state.MachineRef]bool
	models       map[model.ModelName]bool
}

// Everything is dirty: a full solve, as after a change of leader.
func Everything() Dirty { return Dirty{all: true} }

// DirtyOf is what committed changes touch, in the state after them.
func DirtyOf(s state.State, changed []state.Key) Dirty {
	var d Dirty
	for _, k := range changed {
		d.add(s, k)
	}
	return d
}

// Empty reports whether there is nothing to solve.
func (d Dirty) Empty() bool {
	return !d.all && len(d.applications)+len(d.machines)+len(d.models) == 0
}

// Unit adds a unit of which something new was heard.
func (d *Dirty) Unit(u state.UnitRef) { d.application(u.Application()) }

// Machine adds a machine whose agent fell silent or was heard again.
func (d *Dirty) Machine(s state.State, m state.MachineRef) {
	d.machine(m)
	for _, u := range s.UnitsOn(m) {
		d.application(u.Ref().Application())
	}
}

// Merge adds what another holds.
func (d *Dirty) Merge(other Dirty) {
	d.all = d.all || other.all
	d.applications = merged(d.applications, other.applications)
	d.machines = merged(d.machines, other.machines)
	d.models = merged(d.models, other.models)
}

func merged[K comparable](a, b map[K]bool) map[K]bool {
	if len(b) == 0 {
		return a
	}
	if a == nil {
		a = make(map[K]bool, len(b))
	}
	maps.Copy(a, b)
	return a
}

func (d *Dirty) application(r state.ApplicationRef) {
	if d.applications == nil {
		d.applications = map[state.ApplicationRef]bool{}
	}
	d.applications[r] = true
	d.model(r.Model)
}

func (d *Dirty) machine(r state.MachineRef) {
	if d.machines == nil {
		d.machines = map[state.MachineRef]bool{}
	}
	d.machines[r] = true
	d.model(r.Model)
}

func (d *Dirty) model(m model.ModelName) {
	if d.models == nil {
		d.models = map[model.ModelName]bool{}
	}
	d.models[m] = true
}

func (d *Dirty) add(s state.State, k state.Key) {
	switch k.Table {
	case tables.Application, tables.Lease, tables.Order, tables.Turn, tables.Record, tables.Claim:
		d.application(k.Application())
	case tables.Unit:
		d.application(k.Application())
		ref, _ := k.Unit()
		if u, ok := s.Unit(ref); ok && u.Machine != "" {
			d.machine(state.MachineRef{Model: u.Model, Machine: u.Machine})
		}
		for _, sub := range s.Subordinates(ref) {
			d.application(sub.Ref().Application())
		}
	case tables.Relation, tables.Bag:
		ref, _ := k.Relation()
		if r, ok := s.Relation(ref); ok {
			for _, e := range r.Ends {
				d.application(state.ApplicationRef{Model: r.Model, Application: e.Application})
			}
		}
	case tables.Secret:
		if secret, ok := s.Secret(k.Model, k.ID); ok {
			d.application(state.ApplicationRef{Model: k.Model, Application: secret.Owner.Application})
		}
	case tables.Machine:
		d.Machine(s, state.MachineRef{Model: k.Model, Machine: model.MachineName(k.ID)})
	case tables.Model:
		d.model(k.Model)
	}
}

// resolve lists what is dirty, sorted, so that solving is deterministic.
func (d Dirty) resolve(s state.State) (applications []state.ApplicationRef, machines []state.MachineRef, models []model.ModelName) {
	if !d.all {
		applications = slices.SortedFunc(maps.Keys(d.applications), compareApplications)
		machines = slices.SortedFunc(maps.Keys(d.machines), compareMachines)
		return applications, machines, slices.Sorted(maps.Keys(d.models))
	}
	for _, m := range s.Models() {
		models = append(models, m.Name)
		for _, a := range s.Applications(m.Name) {
			applications = append(applications, a.Ref())
		}
		for _, machine := range s.Machines(m.Name) {
			machines = append(machines, machine.Ref())
		}
	}
	return applications, machines, models
}

func compareApplications(a, b state.ApplicationRef) int {
	return cmp.Or(cmp.Compare(a.Model, b.Model), cmp.Compare(a.Application, b.Application))
}

func compareMachines(a, b state.MachineRef) int {
	return cmp.Or(cmp.Compare(a.Model, b.Model), cmp.Compare(len(a.Machine), len(b.Machine)), cmp.Compare(a.Machine, b.Machine))
}

func compareUnits(a, b state.UnitRef) int {
	return cmp.Or(cmp.Compare(a.Model, b.Model), model.CompareUnits(a.Unit, b.Unit))
}
