package bundles_test

import (
	"slices"
	"testing"
	"time"

	"github.com/gantry-orchestrator/gantry/agents/sim"
	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/model"
)

var database = state.ApplicationRef{Model: sim.Model, Application: "postgresql"}

func TestSimulateFaultsWhileABundleConverges(t *testing.T) {
	for _, kind := range sim.AllFaults {
		t.Run(string(kind), func(t *testing.T) {
			faults := sim.Faults{Count: 3, Span: 90 * time.Second, Kinds: []sim.Fault{kind}}
			simulate(t, sim.Scenario{Bundle: read(t, "telemetry.yaml"), Faults: faults}, nil)
		})
	}
	t.Run("all of them, and lost answers", func(t *testing.T) {
		faults := sim.Faults{Count: 8, Span: 2 * time.Minute, Kinds: sim.AllFaults, Lossy: true}
		simulate(t, sim.Scenario{Bundle: read(t, "telemetry.yaml"), Faults: faults}, nil)
	})
}

// Seeds that once failed, and what was found by them.
func TestSimulateRegressions(t *testing.T) {
	three := func(kind sim.Fault) sim.Faults {
		return sim.Faults{Count: 3, Span: 90 * time.Second, Kinds: []sim.Fault{kind}}
	}
	for _, tt := range []struct {
		found  string
		seed   uint64
		faults sim.Faults
	}{
		{"a held turn was never given back", 0, sim.Faults{}},
		{"a claim that was asked for twice blocked its unit", 36, sim.Faults{}},
		{"a lost leader's open claim was never taken over", 52, three(sim.AgentSilence)},
		{"a session outlived its controller", 46, three(sim.ControllerRestart)},
	} {
		t.Run(tt.found, func(t *testing.T) {
			play(t, sim.Scenario{Bundle: read(t, "telemetry.yaml"), Seed: tt.seed, Faults: tt.faults}, nil)
		})
	}
}

// A second founding would not be Safe, which the simulation checks after every
// event of the twin.
func TestSimulateChangesOfLeaderInABootstrapFoundNoSecondCluster(t *testing.T) {
	faults := sim.Faults{Count: 6, Span: time.Minute, Kinds: []sim.Fault{sim.AgentSilence, sim.MachineCut, sim.ControllerRestart}}
	moved := 0
	simulate(t, sim.Scenario{Bundle: read(t, "telemetry.yaml"), Faults: faults}, func(t *testing.T, r sim.Result) {
		epochs := 0
		for _, record := range r.State.Records(sim.Model, state.Owner{Application: "postgresql"}) {
			if record.Name == "epoch/1" || record.Name == "epoch/2" {
				epochs++
			}
		}
		if epochs != 1 {
			t.Fatalf("%d epochs are recorded", epochs)
		}
		if l, _ := r.State.Lease(database); l.CreateIndex != l.ModifyIndex {
			moved++
		}
	})
	if *seeds >= 20 && !testing.Short() && moved == 0 {
		t.Error("no seed moved the leadership: the faults are too weak")
	}
}

func TestSimulateScalingUpAndDown(t *testing.T) {
	c := sim.Scenario{Bundle: read(t, "telemetry.yaml"), Changes: []sim.Change{sim.Scale("postgresql", 5), sim.Scale("postgresql", 3)}}
	simulate(t, c, func(t *testing.T, r sim.Result) {
		if n := len(r.State.Units(database)); n != 3 {
			t.Fatalf("%d units in the end", n)
		}
		if n := len(r.State.Machines(sim.Model)); n != 4 {
			t.Fatalf("%d machines in the end", n)
		}
		if joined := slices.DeleteFunc(r.Phases[1].Performed, func(p sim.Performed) bool { return p.Step.ID != "task/join" }); len(joined) < 2 {
			t.Fatalf("%d members joined", len(joined))
		}
	})
}

func remove(app model.ApplicationName) sim.Change { return sim.RemoveApplication(app) }

// blocking is a change after which those that are left need a person's help.
func blocking(c sim.Change) sim.Change {
	c.Blocks = true
	return c
}

func TestSimulateRemovalsEnd(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change sim.Change
		left   []model.ApplicationName
	}{
		{"of the client", remove("telemetry"), []model.ApplicationName{"pgbouncer", "postgresql"}},
		{"of the pool, by its relation", blocking(sim.Part("telemetry", "pgbouncer")), []model.ApplicationName{"pgbouncer", "postgresql", "telemetry"}},
		{"of everything", sim.Together(remove("postgresql"), remove("pgbouncer"), remove("telemetry")), nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			simulate(t, sim.Scenario{Bundle: read(t, "telemetry.yaml"), Changes: []sim.Change{tt.change}}, func(t *testing.T, r sim.Result) {
				var left []model.ApplicationName
				for _, a := range r.State.Applications(sim.Model) {
					left = append(left, a.Name)
				}
				if !slices.Equal(left, tt.left) {
					t.Fatalf("left are %v, want %v", left, tt.left)
				}
			})
		})
	}
}
