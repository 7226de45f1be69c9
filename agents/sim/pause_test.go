package sim_test

import (
	"testing"
	"time"

	"github.com/gantry-orchestrator/gantry/agents/sim"
)

// An agent that goes on finds an echo of its last beat, and another unit leads
// by then. Where an echo counted from when it comes, the simulation would find
// two that lead.
func TestAPausedLeaderLeadsNoMoreWhenItGoesOn(t *testing.T) {
	for seed := range uint64(20) {
		run(t, sim.Scenario{
			Bundle: parse(t, beacons), Charms: charms, Seed: seed,
			Faults: sim.Faults{Count: 40, Span: 6 * time.Minute, Kinds: []sim.Fault{sim.AgentPause}},
		})
	}
}
