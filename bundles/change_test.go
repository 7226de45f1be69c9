package bundles_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gantry-orchestrator/gantry/agents/sim"
	"github.com/gantry-orchestrator/gantry/model/charm"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// planned are the effects that a phase was planned to have, by unit.
func planned(p sim.Phase) map[string][]string {
	all := map[string][]string{}
	for _, u := range p.Planned.Units {
		for _, e := range u.Effects {
			all[u.Unit.String()] = append(all[u.Unit.String()], e.Action+" "+e.Effect)
		}
		slices.Sort(all[u.Unit.String()])
	}
	return all
}

// performed are those that it had. What only brings a journal up to date, or
// is published, is no effect on a machine.
func performed(p sim.Phase) map[string][]string {
	all, known := map[string][]string{}, map[string]bool{}
	for _, d := range p.Performed {
		unit := d.Unit.String()
		words := map[effect.StepKind]string{
			effect.Restart: "restart", effect.Reload: "reload", effect.Run: "run", effect.Stop: "stop", effect.Start: "start",
			effect.Remove: "remove", effect.Release: "remove", effect.Destroy: "remove", effect.Undo: "remove", effect.Write: "change",
		}
		if word := words[d.Step.Kind]; word != "" {
			all[unit] = append(all[unit], fmt.Sprintf("%s %s", word, d.Step.ID))
		}
		known[unit] = true
	}
	for unit := range all {
		slices.Sort(all[unit])
	}
	return all
}

// order are the units that ran a task, in the order in which they did.
func order(p sim.Phase, task effect.ID) []string {
	var units []string
	for _, d := range p.Performed {
		if d.Step.ID == task && d.Step.Kind == effect.Run {
			units = append(units, d.Unit.String())
		}
	}
	return units
}

// lastOf is the end of an order. Members hear of a change at their own pace, so
// that only the primary's place is certain.
func lastOf(units []string) []string { return units[max(0, len(units)-1):] }

func plannedOrder(p sim.Phase, task effect.ID) []string {
	var units []string
	for _, u := range p.Planned.Units {
		for _, e := range u.Effects {
			if e.Effect == string(task) {
				units = append(units, u.Unit.String())
			}
		}
	}
	return units
}

func TestSimulateAChangeOfConfigurationAsPlanned(t *testing.T) {
	for _, tt := range []struct {
		name     string
		set      charm.Settings
		restarts int
	}{
		{"a limit of connections restarts every member in turn", charm.Settings{"max_connections": charm.IntValue(200)}, 3},
		{"memory of a sort restarts nobody", charm.Settings{"work_mem": charm.StringValue("8MB")}, 0},
		{"the value that it has changes nothing", charm.Settings{"max_connections": charm.IntValue(100)}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := sim.Scenario{Bundle: read(t, "telemetry.yaml"), Plan: true, Changes: []sim.Change{sim.Configure("postgresql", tt.set)}}
			simulate(t, c, func(t *testing.T, r sim.Result) {
				phase := r.Phases[1]
				if difference := cmp.Diff(planned(phase), performed(phase)); difference != "" {
					t.Fatalf("planned (-) and performed (+) differ:\n%s", difference)
				}
				if got := order(phase, "task/restart"); len(got) != tt.restarts {
					t.Fatalf("restarted %v, want %d", got, tt.restarts)
				}
				if !slices.Equal(lastOf(plannedOrder(phase, "task/restart")), lastOf(order(phase, "task/restart"))) {
					t.Fatalf("planned to restart %v, restarted %v: the last is the primary", plannedOrder(phase, "task/restart"), order(phase, "task/restart"))
				}
			})
		})
	}
}

// A value that was had before is a task's key that is done: what counts is that
// its outcome no longer holds.
func TestSimulateASettingThatIsSetBack(t *testing.T) {
	set := func(size string) sim.Change {
		return sim.Configure("postgresql", charm.Settings{"work_mem": charm.StringValue(size)})
	}
	c := sim.Scenario{Bundle: read(t, "telemetry.yaml"), Plan: true, Changes: []sim.Change{set("8MB"), set("4MB"), set("8MB"), set("4MB")}}
	simulate(t, c, func(t *testing.T, r sim.Result) {
		for _, phase := range r.Phases[1:] {
			if difference := cmp.Diff(planned(phase), performed(phase)); difference != "" {
				t.Fatalf("%s: planned (-) and performed (+) differ:\n%s", phase.Name, difference)
			}
			if ran := order(phase, "task/configure"); len(ran) != 1 {
				t.Fatalf("%s: %v ran the task, want one unit once", phase.Name, ran)
			}
		}
	})
}
