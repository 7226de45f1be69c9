package cli

import (
	"slices"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

// selected is the part of a status that is about some applications, all of it
// for none: their units, the machines below them and their relations.
func selected(s operator.Status, only []model.ApplicationName) operator.Status {
	if len(only) == 0 {
		return s
	}
	named := func(a model.ApplicationName) bool { return slices.Contains(only, a) }
	part := operator.Status{Model: s.Model, Applications: []operator.Application{}, Machines: []operator.Machine{}, Relations: []operator.Relation{}}
	for _, a := range s.Applications {
		if named(a.Name) {
			part.Applications = append(part.Applications, a)
		}
	}
	for _, m := range s.Machines {
		if slices.ContainsFunc(m.Units, func(u model.UnitName) bool { return named(u.Application) }) {
			part.Machines = append(part.Machines, m)
		}
	}
	for _, r := range s.Relations {
		if slices.ContainsFunc(r.Ends, func(e operator.RelationEnd) bool { return named(e.Application) }) {
			part.Relations = append(part.Relations, r)
		}
	}
	return part
}
