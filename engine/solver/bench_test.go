package solver

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/charm"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// fleet is a settled model of many applications of some units each.
func fleet(b *testing.B, applications, units int) *world {
	b.Helper()
	w := newWorld(b)
	ops := make([]state.Command, 0, applications)
	for i := range applications {
		c := state.AddApplication{Model: testModel, Name: model.ApplicationName(fmt.Sprintf("a%da", i)), Charm: "db", Hash: "h1", Units: units}
		ops = append(ops, state.Command{Version: state.FormatVersion, Now: epoch, Origin: state.Operator, Ops: []state.Op{c}})
	}
	w.s, _ = w.s.ApplyBatch(ops)
	for {
		commands, _ := Solve(w.s, Everything(), w.seen)
		for _, m := range w.s.Machines(testModel) {
			if m.State == state.MachineRequested {
				commands = append(commands, state.Command{Version: state.FormatVersion, Now: epoch, Origin: state.Agents, Ops: []state.Op{
					state.MachineJoined{Model: testModel, Machine: m.Name, Address: "10.0.0.1"},
				}})
			}
		}
		if len(commands) == 0 {
			return w
		}
		w.s, _ = w.s.ApplyBatch(commands)
	}
}

// One application of 50 changes in a model of 100,000 units: what follows is
// derived, and the intents that it touches are found.
func BenchmarkSolveOneChange100k(b *testing.B) {
	w := fleet(b, 2000, 50)
	n := int64(1)
	var took []time.Duration
	for b.Loop() {
		n++
		b.StopTimer()
		next, r, err := w.s.Apply(state.Command{Version: state.FormatVersion, Now: epoch, Origin: state.Operator, Ops: []state.Op{
			state.SetConfig{Model: testModel, Application: "a7a", Set: charm.Settings{"level": charm.IntValue(n)}},
		}})
		if err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		began := time.Now()
		commands, _ := Solve(next, DirtyOf(next, r.Changed), w.seen)
		if len(commands) != 0 || len(Affected(next, r.Changed)) != 50 {
			b.Fatalf("%d commands", len(commands))
		}
		took = append(took, time.Since(began))
		w.s = next
	}
	reportP99(b, took)
}

func reportP99(b *testing.B, took []time.Duration) {
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
}

// One unit of 100,000 leaves.
func BenchmarkSolveOneDeparture100k(b *testing.B) {
	w := fleet(b, 2000, 50)
	next, r, err := w.s.Apply(state.Command{Version: state.FormatVersion, Now: epoch, Origin: state.Operator, Ops: []state.Op{
		state.RemoveUnits{Model: testModel, Units: []model.UnitName{{Application: "a7a", Number: 3}}},
	}})
	if err != nil {
		b.Fatal(err)
	}
	var took []time.Duration
	for b.Loop() {
		began := time.Now()
		if _, blocked := Solve(next, DirtyOf(next, r.Changed), w.seen); len(blocked) != 1 {
			b.Fatalf("%+v", blocked)
		}
		took = append(took, time.Since(began))
	}
	reportP99(b, took)
}

// A bundle of 500 units, from nothing committed to nothing left to derive.
func BenchmarkSolve500(b *testing.B) {
	for b.Loop() {
		fleet(b, 25, 20)
	}
}

// The intents of 500 units in 25 applications with peers.
func BenchmarkIntents500(b *testing.B) {
	w := fleet(b, 25, 20)
	units := w.s.ModelUnits(testModel)
	var last effect.Intent
	for b.Loop() {
		for _, u := range units {
			last, _ = IntentOf(w.s, u.Ref())
		}
	}
	_ = last
}
