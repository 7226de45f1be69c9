package load

import (
	"context"
	"flag"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

var (
	size     = flag.Int("agents", 10000, "simulated agents, each of a machine of its own")
	density  = flag.Int("units", 10, "units on each machine")
	joining  = flag.Int("joining", 1000, "machines that join by token")
	patience = flag.Duration("patience", 5*time.Minute, "the longest wait for anything")
	profiles = flag.String("profiles", "", "folder for profiles of the controller's process")
)

// Each of these benchmarks prints figures and means nothing by its ns/op; run
// them with -benchtime 1x.

func figure(format string, args ...any) { fmt.Printf("figure: "+format+"\n", args...) }

func BenchmarkTenThousandAgents(b *testing.B) {
	seeded := seed(b, *size, *density)
	p := start(b, seeded.dir, "127.0.0.1:0")
	figure("controller started on a log of %d units: leading after %.1f s, %.1f s of processor time", *size**density, p.ready.Took.Seconds(), p.processor(b).Seconds())
	var f *fleet
	p.profiled(b, "arrive", func() { f = seeded.run(p, *density) })
	defer f.stop()
	p.profiled(b, "idle", func() { idle(b, p) })
	p.profiled(b, "change", func() {
		for i := range 5 {
			change(b, p, f, fmt.Sprint("word", i))
		}
	})
	figure("controller with %d machines and %d units, PSS: %.0f MB (goal under 2 GB)", *size, *size**density, p.pss(b))
	storm(b, p, f)
}

func BenchmarkJoinByToken(b *testing.B) {
	p := start(b, b.TempDir(), "127.0.0.1:0")
	f := joined(b, p, *joining)
	f.stop()
	p.stop(b)
}

// idle tells what the controller does while nothing happens but beats.
func idle(b *testing.B, p *process) {
	b.Helper()
	const length = 10 * time.Second
	time.Sleep(length / 2) // what the deployment left to do
	before := p.processor(b)
	time.Sleep(length)
	figure("idle controller of %d agents: %.0f %% of one processor", *size, 100*(p.processor(b)-before).Seconds()/length.Seconds())
}

// change sets an option that every unit of an application sees.
func change(b *testing.B, p *process, f *fleet, word string) {
	b.Helper()
	var told atomic.Int64
	done := make(chan struct{})
	watch := func(i effect.Intent) {
		if i.Spec.Unit.Application == "a0a" && i.Spec.Config["word"] == word && told.Add(1) == int64(*size) {
			close(done)
		}
	}
	f.watch.Store(&watch)
	defer f.watch.Store(nil)
	before, began := p.processor(b), time.Now()
	set(b, p, word)
	committed := time.Since(began)
	select {
	case <-done:
	case <-time.After(*patience):
		b.Fatalf("%d of %d agents were told", told.Load(), *size)
	}
	took := time.Since(began)
	figure("one change to %d agents, until the last was told: %.2f s, committed after %.2f s, %.2f s of the controller's processor time (goal 1 s)",
		*size, took.Seconds(), committed.Seconds(), (p.processor(b) - before).Seconds())
}

func set(b *testing.B, p *process, word string) {
	b.Helper()
	_, err := p.admin.SetConfig(context.Background(), operator.SetConfig{Model: modelName, Application: "a0a", Set: map[string]string{"word": word}})
	if err != nil {
		b.Fatal(err)
	}
}

// storm starts the controller anew: every agent comes back.
func storm(b *testing.B, p *process, f *fleet) {
	b.Helper()
	began := time.Now()
	p.stop(b)
	f.await(b, "every session has ended", func() bool { return f.connected.Load() == 0 })
	*p = *start(b, p.dir, p.ready.Addresses[0])
	ready := time.Now()
	p.profiled(b, "storm", func() { f.await(b, "every agent is back", func() bool { return f.connected.Load() == int64(*size) }) })
	figure("controller stopped and started: it led again after %.1f s, and %d agents were back %.1f s later, with %.1f s of its processor time",
		ready.Sub(began).Seconds(), *size, time.Since(ready).Seconds(), p.processor(b).Seconds())
	time.Sleep(5 * time.Second)
	figure("controller after that, PSS: %.0f MB", p.pss(b))
	p.stop(b)
}

func BenchmarkStatusOf2500Units(b *testing.B) {
	const agents, applications, calls = 250, 10, 200
	seeded := seed(b, agents, applications)
	p := start(b, seeded.dir, "127.0.0.1:0")
	f := seeded.run(p, applications)
	defer f.stop()
	time.Sleep(2 * time.Second)
	var took []time.Duration
	before := p.processor(b)
	p.profiled(b, "status", func() {
		for range calls {
			began := time.Now()
			s, err := p.admin.Status(context.Background(), modelName)
			if err != nil {
				b.Fatal(err)
			}
			if len(s.Applications) != applications || len(s.Machines) != agents {
				b.Fatalf("%d applications, %d machines", len(s.Applications), len(s.Machines))
			}
			took = append(took, time.Since(began))
		}
	})
	slices.Sort(took)
	figure("status of %d units, %d calls over TLS: p50 %.1f ms, p99 %.1f ms (goal 100 ms), %.1f ms of the controller's processor time each", agents*applications, calls,
		ms(took[calls/2]), ms(took[calls*99/100]), ms((p.processor(b)-before)/calls))
	p.stop(b)
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// BenchmarkRelationData is from one agent's word until the agent of the other
// end has it.
func BenchmarkRelationData(b *testing.B) {
	const writes = 500
	seeded := seed(b, 2, 1)
	p := start(b, seeded.dir, "127.0.0.1:0")
	f := seeded.run(p, 1)
	defer f.stop()
	ctx := context.Background()
	relation := related(b, p, f)
	heard := make(chan string, writes)
	watch := func(i effect.Intent) {
		if i.Spec.Unit.Application != "sink" || len(i.Spec.Relations) == 0 || len(i.Spec.Relations[0].Units) == 0 {
			return
		}
		heard <- i.Spec.Relations[0].Units[0].Bag["word"]
	}
	f.watch.Store(&watch)
	source := f.agents[0]
	if _, ok := source.known[model.UnitName{Application: "source"}]; !ok {
		source = f.agents[1]
	}
	var took []time.Duration
	for n := range writes {
		word := fmt.Sprint(n)
		began := time.Now()
		_, err := source.conn.Publish(ctx, effect.Publication{Unit: model.UnitName{Application: "source"}, Bags: []effect.Bag{{Relation: relation, Data: map[string]string{"word": word}}}})
		if err != nil {
			b.Fatal(err)
		}
		for <-heard != word {
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	figure("relation data written by one agent until the remote agent has it, %d times: p50 %.1f ms, p99 %.1f ms (goal 50 ms with the charm's reconciling)",
		writes, ms(took[writes/2]), ms(took[writes*99/100]))
	p.stop(b)
}

// related deploys both ends, each on one of two machines.
func related(b *testing.B, p *process, f *fleet) model.RelationID {
	b.Helper()
	ctx := context.Background()
	s, err := p.admin.Status(ctx, modelName)
	if err != nil {
		b.Fatal(err)
	}
	for i, name := range []string{"source", "sink"} {
		if _, err := p.admin.Deploy(ctx, operator.Deploy{Model: modelName, Charm: name, To: []string{string(s.Machines[i].Name)}}); err != nil {
			b.Fatal(err)
		}
	}
	one, err := model.ParseEndpointRef("source:out")
	if err != nil {
		b.Fatal(err)
	}
	other, err := model.ParseEndpointRef("sink:in")
	if err != nil {
		b.Fatal(err)
	}
	made, err := p.admin.Integrate(ctx, operator.Integrate{Model: modelName, A: one, B: other})
	if err != nil {
		b.Fatal(err)
	}
	f.await(b, "both ends are known to their agents", func() bool { return f.units.Load() == 4 })
	return made.Relation
}
