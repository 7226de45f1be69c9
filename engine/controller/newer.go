package controller

import (
	"fmt"
	"slices"

	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// held reports whether a restore waits for a decision: what agents have and the
// state does not know is then newer than the backup, and is not taken down.
func held(st state.State) bool {
	r := st.Backups().Restored
	return r != nil && r.Open
}

// unitsOf are the units that an agent brings.
func unitsOf(known []effect.Known) []model.UnitName {
	units := make([]model.UnitName, 0, len(known))
	for _, k := range known {
		units = append(units, k.Unit)
	}
	return units
}

// newer lists the units that agents have and the state does not know.
func (s *sessions) newer() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.node.State()
	var list []string
	for m, one := range s.open {
		for _, u := range one.knows {
			if _, ok := st.Unit(state.UnitRef{Model: m.Model, Unit: u}); !ok {
				list = append(list, fmt.Sprintf("unit %v on machine %s of model %s", u, m.Machine, m.Model))
			}
		}
	}
	slices.Sort(list)
	return list
}

// settled has every session look again at the units that its agent brought.
func (s *sessions) settled() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for m, one := range s.open {
		for _, u := range one.knows {
			one.poke(state.UnitRef{Model: m.Model, Unit: u})
		}
	}
}

// watchSettled tells the sessions once a restore is settled.
func (s *sessions) watchSettled(was bool) (is bool) {
	if is = held(s.node.State()); was && !is {
		s.settled()
	}
	return is
}
