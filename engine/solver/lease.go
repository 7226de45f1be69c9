package solver

import (
	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/model"
)

// lease gives an application a leader, and another one only when the holder
// knows that it leaves, has left, or its agent was silent for a full term: by
// then it has stopped leading of itself.
func (p *problem) lease(a state.Application, units []state.Unit) {
	l, granted := p.Lease(a.Ref())
	if granted && p.mayLead(l) {
		return
	}
	for _, u := range units {
		if u.Life == model.Alive && u.Name != l.Holder && p.reachable(u) {
			p.emit(max(a.Cause, u.Cause), state.GrantLease{Model: a.Model, Holder: u.Name},
				state.LeaseKey(a.Ref()), u.Ref().Key())
			return
		}
	}
}

func (p *problem) mayLead(l state.Lease) bool {
	u, ok := p.Unit(state.UnitRef{Model: l.Model, Unit: l.Holder})
	switch {
	case !ok || p.seen.Silent(state.MachineRef{Model: u.Model, Machine: u.Machine}):
		return false
	case u.Life == model.Alive:
		return true
	default: // its intent says so, but until it has that it leads
		return u.Life == model.Dying && p.started(u) && p.seen.Reports[u.Ref()].Generation < u.Turned
	}
}
