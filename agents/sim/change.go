package sim

import (
	"fmt"
	"strings"

	"github.com/gantry-orchestrator/gantry/engine/solver"
	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/charm"
)

// Configure sets options of an application.
func Configure(app model.ApplicationName, set charm.Settings) Change {
	return Change{Name: fmt.Sprintf("configure %s: %v", app, set.Names()), Ops: func(state.State) ([]state.Op, error) {
		return []state.Op{state.SetConfig{Model: Model, Application: app, Set: set}}, nil
	}}
}

// Scale brings an application to a number of units: the newest leave first.
func Scale(app model.ApplicationName, units int) Change {
	return Change{Name: fmt.Sprintf("scale %s to %d", app, units), Ops: func(s state.State) ([]state.Op, error) {
		var alive []model.UnitName
		for _, u := range s.Units(appRef(app)) {
			if u.Life == model.Alive {
				alive = append(alive, u.Name)
			}
		}
		if units > len(alive) {
			return []state.Op{state.AddUnits{Model: Model, Application: app, Count: units - len(alive)}}, nil
		}
		return []state.Op{state.RemoveUnits{Model: Model, Units: alive[units:]}}, nil
	}}
}

// Remove removes units by name.
func Remove(units ...model.UnitName) Change {
	return Change{Name: fmt.Sprintf("remove %v", units), Ops: func(state.State) ([]state.Op, error) {
		return []state.Op{state.RemoveUnits{Model: Model, Units: units}}, nil
	}}
}

// RemoveApplication removes an application.
func RemoveApplication(app model.ApplicationName) Change {
	return Change{Name: fmt.Sprintf("remove application %s", app), Ops: func(state.State) ([]state.Op, error) {
		return []state.Op{state.RemoveApplication{Model: Model, Application: app}}, nil
	}}
}

// Relate joins two applications.
func Relate(a, b model.EndpointRef) Change {
	return Change{Name: fmt.Sprintf("relate %v and %v", a, b), Ops: func(s state.State) ([]state.Op, error) {
		x, y, err := solver.MatchIn(s, Model, a, b)
		return []state.Op{state.AddRelation{Model: Model, A: x, B: y}}, err
	}}
}

// Part removes the relation of two applications.
func Part(a, b model.ApplicationName) Change {
	return Change{Name: fmt.Sprintf("part %s and %s", a, b), Ops: func(s state.State) ([]state.Op, error) {
		for _, r := range s.Relations(appRef(a)) {
			if _, remote, _ := r.End(a); remote.Application == b && !r.Peer() {
				return []state.Op{state.RemoveRelation{Model: Model, Relation: r.ID}}, nil
			}
		}
		return nil, fmt.Errorf("%s and %s are not related: %w", a, b, model.ErrNotFound)
	}}
}

// Together makes changes in one.
func Together(changes ...Change) Change {
	all := Change{Ops: func(s state.State) ([]state.Op, error) {
		var ops []state.Op
		for _, c := range changes {
			more, err := c.Ops(s)
			if err != nil {
				return nil, err
			}
			ops = append(ops, more...)
		}
		return ops, nil
	}}
	for _, c := range changes {
		all.Name = strings.TrimPrefix(all.Name+", "+c.Name, ", ")
	}
	return all
}
