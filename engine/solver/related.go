package solver

import (
	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/model"
)

// others returns the units that a unit sees in a relation, by number: its
// peers, or those of the other end; in a container relation only those that
// it shares a machine with as principal and subordinate.
func others(s state.State, u state.Unit, r state.Relation) []state.Unit {
	_, remote, ok := r.End(u.Name.Application)
	if !ok {
		return nil
	}
	var seen []state.Unit
	for _, v := range counterparts(s, u, r, remote.Application) {
		if v.Name != u.Name {
			seen = append(seen, v)
		}
	}
	return seen
}

func counterparts(s state.State, u state.Unit, r state.Relation, remote model.ApplicationName) []state.Unit {
	if r.Scope != model.ContainerScope {
		return s.Units(state.ApplicationRef{Model: u.Model, Application: remote})
	}
	var pair []state.Unit
	if u.Principal.Application == remote {
		if principal, ok := s.Unit(state.UnitRef{Model: u.Model, Unit: u.Principal}); ok {
			pair = append(pair, principal)
		}
	}
	for _, sub := range s.Subordinates(u.Ref()) {
		if sub.Name.Application == remote {
			pair = append(pair, sub)
		}
	}
	return pair
}

// related returns the units that see a unit in some relation, each once.
func related(s state.State, u state.Unit) []state.Unit {
	var all []state.Unit
	seen := map[model.UnitName]bool{}
	for _, r := range s.Relations(u.Ref().Application()) {
		for _, v := range others(s, u, r) {
			if !seen[v.Name] {
				seen[v.Name] = true
				all = append(all, v)
			}
		}
	}
	return all
}
