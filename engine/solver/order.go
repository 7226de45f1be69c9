package solver

import (
	"slices"

	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/engine/state/tables"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
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
		if !p.rests(a, r) || r.Serial < o.ModifyIndex || r.Reached != o.StageName() {
			return
		}
	}
	if asked > 0 {
		p.emit(o.Cause, state.AdvanceOrder{Model: a.Model, Application: a.Name, ID: o.ID, From: o.Stage},
			state.Key{Table: tables.Order, Model: a.Model, ID: string(a.Name) + ":" + o.ID})
	}
}

// rests reports whether a unit has settled, or does nothing but ask for turns
// that wait for the very order: each would wait for the other for ever.
func (p *problem) rests(a state.Application, r effect.Report) bool {
	if r.Settled {
		return true
	}
	waits := func(ask effect.Turn) bool { return !p.mayTurn(a, ask.Name) }
	return r.Answered && len(r.Doing) == 0 && slices.ContainsFunc(r.Asks, waits)
}
