package solver

import (
	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/engine/state/tables"
	"github.com/gantry-orchestrator/gantry/model"
)

// subordinates gives each placed unit of a principal a unit of the subordinates
// that are related to it, and lets those go that have nobody to accompany.
func (p *problem) subordinates(a state.Application) {
	for _, r := range p.Relations(a.Ref()) {
		_, remote, _ := r.End(a.Name)
		b, ok := p.Application(state.ApplicationRef{Model: a.Model, Application: remote.Application})
		if r.Scope != model.ContainerScope || !ok {
			continue
		}
		if a.Subordinate {
			p.accompany(r, b, a)
		} else {
			p.accompany(r, a, b)
		}
	}
	if !a.Subordinate {
		return
	}
	for _, u := range p.Units(a.Ref()) {
		if u.Life == model.Alive && p.abandoned(u) {
			p.emit(u.Cause, state.Advance{Subject: u.Ref().Key(), To: state.Drain}, u.Ref().Key())
		}
	}
}

// accompany creates the units of a subordinate that its principal lacks.
func (p *problem) accompany(r state.Relation, principal, sub state.Application) {
	if r.Life != model.Alive || principal.Life != model.Alive || sub.Life != model.Alive {
		return
	}
	for _, u := range p.Units(principal.Ref()) {
		if u.Life != model.Alive || u.Machine == "" || p.accompanied(u, sub.Name) {
			continue
		}
		key := state.Key{Table: tables.Unit, Model: u.Model, ID: u.Name.String() + ":" + string(sub.Name)}
		if p.done[key] {
			continue
		}
		p.done[key] = true
		p.emit(max(r.Cause, u.Cause), state.CreateSubordinate{Model: u.Model, Application: sub.Name, Principal: u.Name},
			u.Ref().Key(), r.Ref().Key())
	}
}

func (p *problem) accompanied(u state.Unit, by model.ApplicationName) bool {
	for _, sub := range p.Subordinates(u.Ref()) {
		if sub.Name.Application == by {
			return true
		}
	}
	return false
}

// abandoned reports whether a subordinate's principal has been torn down, or
// nothing relates them any more. While the principal's application leaves, the
// principal decides: what it depends on stays until it is torn down.
func (p *problem) abandoned(u state.Unit) bool {
	principal, ok := p.Unit(state.UnitRef{Model: u.Model, Unit: u.Principal})
	if !ok || principal.Life == model.Dead || principal.Teardown {
		return true
	}
	a, _ := p.Application(principal.Ref().Application())
	for _, r := range p.Relations(u.Ref().Application()) {
		_, remote, _ := r.End(u.Name.Application)
		joined := r.Life == model.Alive || a.Life != model.Alive
		if r.Scope == model.ContainerScope && joined && remote.Application == u.Principal.Application {
			return false
		}
	}
	return true
}
