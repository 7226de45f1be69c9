package load

import (
	"context"
	"errors"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/gantry-orchestrator/gantry/engine/client"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
	"github.com/gantry-orchestrator/gantry/model/operator"
	"github.com/gantry-orchestrator/gantry/model/provision"
)

const (
	modelName = model.ModelName("load")
	joiners   = 32 // at once
)

// joined deploys an application with a unit on a machine of its own for each
// agent, and has all machines join by their tokens.
func joined(b *testing.B, p *process, agents int) *fleet {
	b.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	f := &fleet{end: cancel}
	if _, err := p.admin.AddModel(ctx, operator.AddModel{Name: modelName}); err != nil {
		b.Fatal(err)
	}
	if _, err := p.admin.Deploy(ctx, operator.Deploy{Model: modelName, Charm: "lone", Application: "a0a", Units: agents}); err != nil {
		b.Fatal(err)
	}
	began := time.Now()
	wanted := machines(b, p, agents)
	figure("tokens for %d machines, asked for at once: %.1f s", agents, time.Since(began).Seconds())
	f.join(b, ctx, wanted)
	f.await(b, "every agent has its session", func() bool { return f.connected.Load() == int64(agents) })
	return f
}

// machines asks as the host agent what is to be made, and leaves.
func machines(b *testing.B, p *process, agents int) (list []provision.Machine) {
	b.Helper()
	c, err := client.Load(p.ready.Host)
	if err != nil {
		b.Fatal(err)
	}
	h, err := client.DialHost(c)
	if err != nil {
		b.Fatal(err)
	}
	defer h.Close()
	enough := errors.New("enough")
	err = h.Wanted(context.Background(), provider, func(w provision.Wanted) error {
		if len(w.Machines) < agents {
			return nil
		}
		list = w.Machines
		return enough
	})
	if !errors.Is(err, enough) {
		b.Fatal(err)
	}
	return list
}

// join has every machine redeem its token and run an agent.
func (f *fleet) join(b *testing.B, ctx context.Context, wanted []provision.Machine) {
	b.Helper()
	began := time.Now()
	f.agents = make([]*agent, len(wanted))
	var g errgroup.Group
	g.SetLimit(joiners)
	for i, m := range wanted {
		g.Go(func() error {
			as, err := client.Join(ctx, m.Token)
			if err != nil {
				return err
			}
			a := &agent{
				fleet: f, machine: m.UUID, as: as, host: facts(i), known: map[model.UnitName]effect.Known{},
			}
			f.agents[i] = a
			f.running.Go(func() { _ = a.run(ctx) })
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		b.Fatal(err)
	}
	took := time.Since(began).Seconds()
	figure("machines joined by token, each with its session: %.0f a second (%d in %.1f s)", float64(len(wanted))/took, len(wanted), took)
}

// stop ends every agent.
func (f *fleet) stop() {
	f.end()
	f.running.Wait()
}

// await polls what the agents count.
func (f *fleet) await(b *testing.B, what string, done func() bool) time.Duration {
	b.Helper()
	began := time.Now()
	for deadline := began.Add(*patience); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			var newest error
			if err := f.failure.Load(); err != nil {
				newest = *err
			}
			b.Fatalf("not in time: %s; %d connected, %d units, %d failures to connect, the newest %v",
				what, f.connected.Load(), f.units.Load(), f.failures.Load(), newest)
		}
	}
	return time.Since(began)
}
