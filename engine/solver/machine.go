package solver

import (
	"fmt"

	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/model"
)

// machine lets go of a machine that the solver asked for once no unit is on
// it, and has a dying one destroyed once it is empty.
func (p *problem) machine(r state.MachineRef) {
	m, ok := p.Machine(r)
	if !ok {
		return
	}
	for _, u := range p.UnitsOn(r) {
		if u.Life != model.Dead {
			return
		}
	}
	step := state.Advance{Subject: r.Key()}
	switch {
	case m.Life == model.Alive && m.Used && !m.Manual:
		step.To = state.Drain
	case m.Life == model.Dying:
		step.To = state.Bury
	case m.Life == model.Dead && p.seen.Now.Sub(m.Since) >= DepartureDeadline:
		p.explain(Blocked{
			Subject: "machine " + string(m.Name), Holder: "host agent", Overdue: true,
			Reason: fmt.Sprintf("it has not destroyed machine %s since %v", m.UUID, m.Since),
		})
		return
	default:
		return
	}
	p.emit(m.Cause, step, r.Key())
}
