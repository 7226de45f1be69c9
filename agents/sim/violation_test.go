package sim_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/gantry-orchestrator/gantry/agents/sim"
	"github.com/gantry-orchestrator/gantry/charms/sdk"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// lonely is a charm of a service of which one alone may run.
type lonely struct{ message string }

func (c lonely) Reconcile(effect.Input) effect.Desired {
	var b sdk.Builder
	b.Service(effect.Service{ID: "service/lonely", Command: []string{"lonely"}})
	if c.message != "" {
		return b.Done(sdk.Waiting("%s", c.message))
	}
	return b.Done(sdk.Active("alone"))
}

func (lonely) Begin(uint64) sdk.World { return 0 }

func (lonely) Step(w sdk.World, e sdk.Event) (sdk.World, sdk.Outcome) {
	if _, started := e.(sdk.ServiceStarted); started {
		return w.(int) + 1, sdk.Outcome{}
	}
	return w, sdk.Outcome{}
}

func (lonely) Answer(sdk.World, model.UnitName, effect.Probe) (string, bool) { return "", false }

func (lonely) Safe(w sdk.World) error {
	if n := w.(int); n > 1 {
		return fmt.Errorf("%d run", n)
	}
	return nil
}

func TestWhatMustNotBeIsFound(t *testing.T) {
	files := fstest.MapFS{"charm.yaml": {Data: []byte("name: lonely\nsummary: One of it.\n")}}
	for _, tt := range []struct {
		name  string
		charm lonely
		units int
		want  string // in the error; "" for none
	}{
		{"one alone is well", lonely{}, 1, ""},
		{"two of a kind are not safe", lonely{}, 2, "2 run"},
		{"a unit that waits for ever does not converge", lonely{"for Godot"}, 1, "for Godot"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := sim.Run(sim.Scenario{
				Bundle: parse(t, fmt.Sprintf("applications: {lonely: {charm: lonely, num_units: %d}}", tt.units)),
				Charms: []sdk.Builtin{{Name: "lonely", Files: files, Charm: tt.charm}}, Limit: 5 * time.Minute,
			})
			switch {
			case tt.want == "" && r.Err != nil:
				t.Error(r.Err)
			case tt.want != "" && (r.Err == nil || !strings.Contains(r.Err.Error(), tt.want) || !strings.Contains(r.Err.Error(), "seed 0")):
				t.Errorf("error %v, want one with the seed and %q", r.Err, tt.want)
			}
		})
	}
}

func TestBeaconsBearEveryFault(t *testing.T) {
	for _, kind := range sim.AllFaults {
		t.Run(string(kind), func(t *testing.T) {
			for seed := range uint64(10) {
				run(t, sim.Scenario{
					Bundle: parse(t, beacons), Charms: charms, Seed: seed,
					Faults:  sim.Faults{Count: 5, Span: time.Minute, Kinds: []sim.Fault{kind}, Lossy: true},
					Changes: []sim.Change{sim.Scale("beacon", 5), sim.Scale("beacon", 2), sim.RemoveApplication("watcher")},
				})
			}
		})
	}
}
