package controller

import (
	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// ear hears what agents tell of themselves.
type ear interface {
	upward(m state.MachineRef, up effect.Upward)
}

// upward implements ear.
func (r *root) upward(m state.MachineRef, up effect.Upward) {
	if up.Pulse != nil {
		r.physician.Upward(m, *up.Pulse)
	}
	if len(up.Spans) > 0 {
		r.toldSpans(m, up.Spans)
	}
}

// count is how many agents have a session.
func (s *sessions) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.open)
}
