package solver

import (
	"fmt"

	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/model"
)

// departures takes the units and relations of an application that are leaving
// one step further, and then the application itself.
func (p *problem) departures(a state.Application) {
	if p.done[a.Ref().Key()] {
		return
	}
	p.done[a.Ref().Key()] = true
	units := p.Departing(a.Ref())
	for _, u := range units {
		p.departure(a, u)
	}
	relations := p.DepartingRelations(a.Ref())
	for _, r := range relations {
		p.relationDeparture(r)
	}
	if a.Life == model.Alive || len(units) > 0 || a.Planned > 0 {
		return
	}
	for _, r := range p.Relations(a.Ref()) {
		if !r.Peer() {
			return
		}
	}
	p.emit(a.Cause, state.Advance{Subject: a.Ref().Key(), To: state.Forget}, a.Ref().Key())
}

// hindrance is who keeps a subject from leaving, why, and what would end it.
type hindrance struct {
	holder, reason, command string
}

// departure moves a unit from draining to teardown, to dead, to forgotten.
func (p *problem) departure(a state.Application, u state.Unit) {
	if by := p.obstructed(a, u); by != nil {
		p.explain(Blocked{Subject: u.Name.String(), Holder: by.holder, Reason: by.reason, Command: by.command, Overdue: p.seen.overdue(u.Ref(), u.Since)})
		return
	}
	step, m := state.Advance{Subject: u.Ref().Key()}, p.host(u)
	switch {
	case u.Life == model.Dead:
		step.To = state.Forget
	case p.gone(u):
		step.To = state.Bury
		if u.Forced && m.UUID != "" && m.State != state.MachineRequested {
			step.Leftovers = []string{fmt.Sprintf("all that %v had: it was removed by force and nothing of it was undone", u.Name)}
		}
	case !u.Teardown:
		step.To = state.Teardown
	default:
		step.To = state.Bury
		step.Leftovers = p.seen.Reports[u.Ref()].Leftovers
	}
	p.emit(u.Cause, step, u.Ref().Key(), m.Ref().Key())
}

// gone reports whether nobody has to answer for a departing unit: it was never
// anywhere, or is removed by force.
func (p *problem) gone(u state.Unit) bool {
	m := p.host(u)
	return u.Forced || m.UUID == "" || m.State == state.MachineRequested
}

// obstructed returns who keeps a departing unit where it is, nil where it can
// be taken a step further.
func (p *problem) obstructed(a state.Application, u state.Unit) *hindrance {
	switch {
	case u.Life == model.Dead:
		return p.mourner(u)
	case p.gone(u):
		return nil
	case !u.Teardown:
		return p.hindered(a, u)
	}
	if r := p.seen.Reports[u.Ref()]; !r.TornDown || r.Generation < u.Turned {
		m := p.host(u)
		return &hindrance{agentOf(m), "it has not undone all that the unit has there", p.forceOf(u, m)}
	}
	return nil
}

// leaving says what a departing unit waits for, and once it is overdue, that a
// person must act and how.
func (p *problem) leaving(u state.Unit) (why string, blocked bool) {
	a, _ := p.Application(u.Ref().Application())
	by := p.obstructed(a, u)
	if by == nil {
		return "it is leaving", false
	}
	why = fmt.Sprintf("it is leaving; held by %s: %s", by.holder, by.reason)
	if !p.seen.overdue(u.Ref(), u.Since) {
		return why, false
	}
	return why + "; to end it: " + by.command, true
}

// forceOf is the command that ends a unit's departure where nothing else does.
func (p *problem) forceOf(u state.Unit, m state.Machine) string {
	if m.Fenced {
		return fmt.Sprintf("gantry remove-unit %v --force", u.Name)
	}
	return fmt.Sprintf("gantry remove-machine %s --force, once it is stopped for good, then gantry remove-unit %v --force", m.Name, u.Name)
}

// hindered returns who keeps a draining unit: a unit that is related to it and
// has not settled since it knows, or one that holds it, be it itself. When the
// whole application leaves, what its own units hold does not count.
func (p *problem) hindered(a state.Application, u state.Unit) *hindrance {
	whole := a.Life != model.Alive
	for _, v := range related(p.State, u) {
		if v.Life != model.Alive || !p.started(v) || whole && v.Name.Application == a.Name {
			continue
		}
		if by := p.held(u, v); by != nil {
			return by
		}
		if !p.settledSince(v, u.Turned) {
			return p.unsettled(v, "has not settled since it knows that the unit leaves")
		}
	}
	if whole {
		return nil
	}
	if by := p.held(u, u); by != nil {
		return by
	}
	if r := p.seen.Reports[u.Ref()]; r.Generation < u.Turned || !r.Settled && !r.Answered {
		m := p.host(u)
		return &hindrance{agentOf(m), "the unit has not answered since it is to leave", p.forceOf(u, m)}
	}
	return nil
}

func (p *problem) held(u, by state.Unit) *hindrance {
	for _, h := range p.seen.Reports[by.Ref()].Holds {
		if h.Subject == u.Name {
			return &hindrance{by.Name.String(), h.Reason, p.forceOf(u, p.host(u))}
		}
	}
	return nil
}

func (p *problem) unsettled(v state.Unit, why string) *hindrance {
	m := p.host(v)
	if !p.reachable(v) {
		return &hindrance{agentOf(m), fmt.Sprintf("it is not heard, and %v %s", v.Name, why), p.forceOf(v, m)}
	}
	if status := p.seen.Reports[v.Ref()].Status; status.Message != "" {
		why += ": " + status.Message
	}
	return &hindrance{v.Name.String(), fmt.Sprintf("%v %s", v.Name, why), fmt.Sprintf("gantry status %s", v.Name.Application)}
}

// mourner returns a living unit that was related to a dead one and has not
// settled since it knows that it is gone.
func (p *problem) mourner(u state.Unit) *hindrance {
	for _, v := range related(p.State, u) {
		if v.Life == model.Alive && p.started(v) && !p.settledSince(v, u.Turned) {
			return p.unsettled(v, "has not settled since it knows that the unit is gone")
		}
	}
	return nil
}

// relationDeparture ends a relation once the living units of both ends have
// settled since they know, those that leave with their application have left,
// and so have the subordinates that were there by it.
func (p *problem) relationDeparture(r state.Relation) {
	if p.done[r.Ref().Key()] {
		return
	}
	p.done[r.Ref().Key()] = true
	if !r.Forced {
		if by := p.relationHindered(r); by != nil {
			p.explain(Blocked{
				Subject: fmt.Sprintf("relation %d", r.ID), Holder: by.holder, Reason: by.reason, Command: by.command,
				Overdue: p.seen.overdue(state.UnitRef{}, r.Since),
			})
			return
		}
	}
	p.emit(r.Cause, state.Advance{Subject: r.Ref().Key(), To: state.Forget}, r.Ref().Key())
}

func (p *problem) relationHindered(r state.Relation) *hindrance {
	for _, e := range r.Ends {
		a, ok := p.Application(state.ApplicationRef{Model: r.Model, Application: e.Application})
		if !ok {
			continue
		}
		for _, u := range p.Units(a.Ref()) {
			switch {
			case a.Life != model.Alive, p.byRelation(u, r):
				return &hindrance{u.Name.String(), "it is leaving too, and needs the relation until it has left", ""}
			case u.Life == model.Alive && p.started(u) && !p.settledSince(u, r.Turned):
				return p.unsettled(u, "has not settled since it knows that the relation leaves")
			}
		}
	}
	return nil
}

// byRelation reports whether a unit is a subordinate that leaves with a
// container relation.
func (p *problem) byRelation(u state.Unit, r state.Relation) bool {
	if r.Scope != model.ContainerScope || u.Principal.IsZero() {
		return false
	}
	_, remote, _ := r.End(u.Name.Application)
	return remote.Application == u.Principal.Application && p.abandoned(u)
}
