package sim_test

import (
	"strings"
	"testing"
	"time"

	"github.com/gantry-orchestrator/gantry/agents/sim"
	"github.com/gantry-orchestrator/gantry/charms/beacon"
	"github.com/gantry-orchestrator/gantry/charms/sdk"
	"github.com/gantry-orchestrator/gantry/model/bundle"
)

var charms = []sdk.Builtin{{Name: "beacon", Files: beacon.Files, Charm: beacon.Charm{}}}

func parse(t *testing.T, text string) *bundle.Bundle {
	t.Helper()
	b, _, err := bundle.Parse("bundle.yaml", []byte(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// run plays a scenario that must come out well.
func run(t *testing.T, c sim.Scenario) sim.Result {
	t.Helper()
	r := sim.Run(c)
	if r.Err != nil {
		t.Fatalf("%v\nthe end of the trace:\n%s", r.Err, strings.Join(r.Tail(60), "\n"))
	}
	return r
}

const beacons = `
applications:
  beacon:
    charm: beacon
    num_units: 3
  watcher:
    charm: beacon
    num_units: 2
relations:
  - [watcher:watch, beacon:light]
`

func TestBeaconsConverge(t *testing.T) {
	for seed := range uint64(20) {
		r := run(t, sim.Scenario{Bundle: parse(t, beacons), Charms: charms, Seed: seed})
		if took := r.Phases[0].Took; took > 2*time.Minute {
			t.Errorf("seed %d: %v to converge", seed, took)
		}
	}
}

func TestTheSameSeedGivesTheSameBytes(t *testing.T) {
	c := sim.Scenario{
		Bundle: parse(t, beacons), Charms: charms, Seed: 7,
		Faults: sim.Faults{Count: 6, Span: time.Minute, Kinds: sim.AllFaults, Lossy: true},
	}
	first, second := run(t, c), run(t, c)
	if first.Hash != second.Hash {
		for i := range first.Trace {
			if i >= len(second.Trace) || first.Trace[i] != second.Trace[i] {
				t.Fatalf("line %d: %s\nand then:  %s", i, first.Trace[i], second.Trace[min(i, len(second.Trace)-1)])
			}
		}
	}
	c.Seed = 8
	if run(t, c).Hash == first.Hash {
		t.Error("another seed gives the same run")
	}
}
