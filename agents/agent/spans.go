package agent

import (
	"crypto/rand"
	"encoding/hex"
	"time"

	"github.com/gantry-orchestrator/gantry/agents/unit"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// mostSpans is how much a unit tells of one trace: one that fails again and
// again says nothing new.
const mostSpans = 200

// traced is what a unit's present intent is a part of; empty: nobody traces.
type traced struct {
	parent string
	told   int
}

// trace has units tell what they do for intents that came.
func (a *agent) trace(down effect.Downward) {
	for _, in := range down.Set {
		a.mu.Lock()
		u := a.units[in.Spec.Unit]
		a.mu.Unlock()
		if u != nil {
			u.post(func() { u.traced = traced{parent: down.Trace} })
		}
	}
}

// tell tells that an action of a traced intent has ended. Where no controller
// is in reach it is not kept.
func (u *unitLoop) tell(a unit.Action, began time.Time, err error) {
	name := a.Key()
	switch a := a.(type) {
	case unit.SendReport:
		return
	case unit.Perform:
		name = "effect " + a.Step.Name()
	}
	if u.traced.parent == "" || u.traced.told >= mostSpans {
		return
	}
	u.traced.told++
	id := make([]byte, 8)
	_, _ = rand.Read(id) // never fails
	span := effect.Span{
		Parent: u.traced.parent, ID: hex.EncodeToString(id), Name: name, Start: began, End: time.Now(),
		Attributes: map[string]string{"unit": u.name.String()},
	}
	if err != nil {
		span.Error = err.Error()
	}
	_ = u.agent.link.send(effect.Upward{Spans: []effect.Span{span}}) // nothing depends on it
}
