package bundles_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gantry-orchestrator/gantry/agents/sim"
	"github.com/gantry-orchestrator/gantry/charms/beacon"
	"github.com/gantry-orchestrator/gantry/charms/dataintegrator"
	"github.com/gantry-orchestrator/gantry/charms/etcd"
	"github.com/gantry-orchestrator/gantry/charms/kafka"
	"github.com/gantry-orchestrator/gantry/charms/pgbouncer"
	"github.com/gantry-orchestrator/gantry/charms/postgresql"
	"github.com/gantry-orchestrator/gantry/charms/sdk"
	"github.com/gantry-orchestrator/gantry/charms/telemetry"
	"github.com/gantry-orchestrator/gantry/charms/tlscertificates"
	"github.com/gantry-orchestrator/gantry/model/bundle"
)

var seeds = flag.Uint64("seeds", 20, "how many seeds each scenario is simulated under")

var charms = []sdk.Builtin{
	{Name: "beacon", Files: beacon.Files, Charm: beacon.Charm{}},
	{Name: "data-integrator", Files: dataintegrator.Files, Charm: dataintegrator.Charm{}},
	{Name: "etcd", Files: etcd.Files, Charm: etcd.Charm{}},
	{Name: "kafka", Files: kafka.Files, Charm: kafka.Charm{}},
	{Name: "pgbouncer", Files: pgbouncer.Files, Charm: pgbouncer.Charm{}},
	{Name: "postgresql", Files: postgresql.Files, Charm: postgresql.Charm{}},
	{Name: "telemetry", Files: telemetry.Files, Charm: telemetry.Charm{}},
	{Name: "tls-certificates", Files: tlscertificates.Files, Charm: tlscertificates.Charm{}},
}

// read parses a bundle of this folder.
func read(t *testing.T, name string) *bundle.Bundle {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	b, _, err := bundle.Parse(name, text, nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// simulate plays a scenario under every seed.
func simulate(t *testing.T, c sim.Scenario, look func(*testing.T, sim.Result)) {
	t.Helper()
	n := *seeds
	if testing.Short() {
		n = min(n, 3)
	}
	for seed := range n {
		c.Seed = seed
		play(t, c, look)
	}
}

// play plays a scenario, which must come out well.
func play(t *testing.T, c sim.Scenario, look func(*testing.T, sim.Result)) {
	t.Helper()
	c.Charms = charms
	r := sim.Run(c)
	if r.Err != nil {
		t.Fatalf("%v\nthe end of the trace:\n%s", r.Err, strings.Join(r.Tail(80), "\n"))
	}
	if look != nil {
		look(t, r)
	}
}

// large is how many units make a bundle one that takes seconds of a processor
// for each seed, and so is simulated under one of them by -short.
const large = 8

func units(b *bundle.Bundle) (n int) {
	for _, a := range b.Applications {
		n += a.UnitCount()
	}
	return n
}

func TestSimulateEveryBundle(t *testing.T) {
	files, err := filepath.Glob("*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no bundles: %v", err)
	}
	for _, file := range files {
		t.Run(file, func(t *testing.T) {
			c := sim.Scenario{Bundle: read(t, file)}
			if testing.Short() && units(c.Bundle) > large {
				play(t, c, nil)
				return
			}
			simulate(t, c, nil)
		})
	}
}
