package controller

import (
	"context"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/gantry-orchestrator/gantry/engine/client"
	"github.com/gantry-orchestrator/gantry/engine/wire"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// fakeAgent settles every intent at once. It publishes its address in each
// relation and does what it is asked.
type fakeAgent struct {
	*client.Agent
	world *world
	uuid  string
	as    client.Context

	died    atomic.Bool
	mu      sync.Mutex
	intents map[model.UnitName]effect.Intent
	pushes  map[model.UnitName]int
	echoed  uint64
	said    map[string]bool
	unknown string // a task whose outcome nobody knows
}

func newFakeAgent(w *world, uuid string, c client.Context) *fakeAgent {
	conn, err := client.DialAgent(c)
	if err != nil {
		w.t.Error(err)
	}
	return &fakeAgent{
		Agent: conn, world: w, uuid: uuid, as: c,
		intents: map[model.UnitName]effect.Intent{}, pushes: map[model.UnitName]int{}, said: map[string]bool{},
	}
}

func (a *fakeAgent) run(ctx context.Context) error {
	defer a.Close()
	for ctx.Err() == nil && !a.died.Load() {
		_ = a.session(ctx)
	}
	return nil
}

// die breaks the agent's connections for good.
func (a *fakeAgent) die() {
	a.died.Store(true)
	_ = a.Close()
}

func (a *fakeAgent) session(ctx context.Context) error {
	s, err := a.Open(ctx)
	if err != nil {
		return err
	}
	hello := effect.Hello{Machine: a.uuid, Host: effect.HostFacts{Hostname: a.uuid, Arch: "amd64", Cores: 2, MemoryMiB: 1024}}
	a.mu.Lock()
	for _, i := range a.intents {
		hello.Known = append(hello.Known, effect.Known{Unit: i.Spec.Unit, Generation: i.Generation, Hash: i.Hash, Serial: i.Live.Serial})
	}
	again := slices.Collect(maps.Values(a.intents))
	a.mu.Unlock()
	if err := s.Send(effect.Upward{Hello: &hello}); err != nil {
		return err
	}
	if err := s.Send(effect.Upward{Beat: &effect.Beat{Serial: 1}}); err != nil {
		return err
	}
	if p := a.world.pulse; p != nil {
		if err := s.Send(effect.Upward{Pulse: p}); err != nil {
			return err
		}
	}
	for _, i := range again {
		if err := a.carryOut(ctx, s, i); err != nil {
			return err
		}
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		for {
			down, err := s.Recv()
			if err != nil {
				return err
			}
			if err := a.take(ctx, s, down); err != nil {
				return err
			}
		}
	})
	return g.Wait()
}

func (a *fakeAgent) take(ctx context.Context, s *wire.Session, down effect.Downward) error {
	if down.Beat != nil {
		a.mu.Lock()
		a.echoed = down.Beat.Serial
		a.mu.Unlock()
	}
	for _, i := range down.Set {
		a.mu.Lock()
		a.intents[i.Spec.Unit] = i
		a.pushes[i.Spec.Unit]++
		a.mu.Unlock()
		if err := a.carryOut(ctx, s, i); err != nil {
			return err
		}
		if down.Trace != "" {
			span := effect.Span{Parent: down.Trace, ID: "00000000000000ff", Name: "effect config", Start: time.Now(), End: time.Now()}
			if err := s.Send(effect.Upward{Spans: []effect.Span{span}}); err != nil {
				return err
			}
		}
	}
	for _, text := range down.Withdrawn {
		u, err := model.ParseUnitName(text)
		if err != nil {
			return err
		}
		a.mu.Lock()
		delete(a.intents, u)
		a.mu.Unlock()
	}
	if o := down.Operation; o != nil && o.Kind == effect.ResolveOperation {
		result := effect.OperationResult{ID: o.ID}
		if a.mu.Lock(); o.Action != a.unknown || o.Params["done"] != true {
			result.Failed = "its outcome is not unknown"
		}
		a.unknown = ""
		a.mu.Unlock()
		return a.FinishOperation(ctx, result)
	} else if o != nil {
		return a.FinishOperation(ctx, effect.OperationResult{ID: o.ID, Output: map[string]string{"ran": o.Action}})
	}
	return nil
}

// carryOut publishes and reports the intent as settled.
func (a *fakeAgent) carryOut(ctx context.Context, s *wire.Session, i effect.Intent) error {
	p := effect.Publication{Unit: i.Spec.Unit}
	for _, r := range i.Spec.Relations {
		p.Bags = append(p.Bags, effect.Bag{Relation: r.ID, Data: map[string]string{"address": i.Spec.Address}})
	}
	if len(p.Bags) > 0 {
		if _, err := a.Publish(ctx, p); err != nil {
			return err
		}
	}
	return s.Send(effect.Upward{
		Reports: []effect.Report{{
			Unit: i.Spec.Unit, Generation: i.Generation, Hash: i.Hash, Serial: i.Live.Serial, Settled: true, Answered: true,
			Status: model.Status{Level: model.Active}, TornDown: i.Spec.Life == model.Dead,
		}},
		Logs: []effect.LogLine{{Time: time.Unix(1, 0), Unit: i.Spec.Unit, Source: "agent", Text: "settled"}},
	})
}

func (a *fakeAgent) intent(u string) (effect.Intent, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	name, _ := model.ParseUnitName(u)
	i, ok := a.intents[name]
	return i, ok
}
