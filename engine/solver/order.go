package solver

import (
	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/model"
)

// order advances the open order of an application when every living unit has
// settled, having seen the stage, and says that it reached it.
func (p *problem) order(a state.Application, units []state.Unit) {
	o, open := p.OpenOrder(a.Ref())
	if !open {
		return
	}
	asked := 0
	for _, u := range units {
		if u.Life != model.Alive || p.host(u).Fenced {
			continue
		}
		asked++
		r := p.seen.Reports[u.Ref()]
		if !r.Settled || r.Serial < o.ModifyIndex || r.Reached != o.StageName() {
			return
		}
	}
	if asked > 0 {
		p.emit(o.Cause, state.AdvanceOrder{Model: a.Model, Application: a.Name, ID: o.ID, From: o.Stage},
			state.Key{Table: state.OrderTable, Model: a.Model, ID: string(a.Name) + ":" + o.ID})
	}
}
