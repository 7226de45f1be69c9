package load

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/gantry-orchestrator/gantry/agents/unit"
	"github.com/gantry-orchestrator/gantry/engine/client"
	"github.com/gantry-orchestrator/gantry/engine/wire"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// agent is one machine's. It keeps what it knows through a lost session, and
// waits between two as a real one does.
type agent struct {
	fleet   *fleet
	machine string // UUID
	host    effect.HostFacts
	as      client.Context
	conn    *client.Agent

	mu    sync.Mutex
	known map[model.UnitName]effect.Known
}

// run holds a session until ctx ends.
func (a *agent) run(ctx context.Context) error {
	var err error
	if a.conn, err = client.DialAgent(a.as); err != nil {
		return err
	}
	defer a.conn.Close()
	for n := 1; ctx.Err() == nil; n++ {
		began := time.Now()
		_ = a.session(ctx)
		if time.Since(began) > time.Minute {
			n = 1
		}
		wait := min(unit.Backoff(n), 15*time.Second)
		timer := time.NewTimer(wait/2 + rand.N(wait/2))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
	}
	return nil
}

func (a *agent) session(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s, err := a.conn.Open(ctx)
	if err != nil {
		a.fleet.failed(err)
		return err
	}
	hello := effect.Hello{Machine: a.machine, Version: "load", Now: time.Now(), Host: a.host}
	a.mu.Lock()
	var again effect.Upward
	for _, k := range a.known {
		hello.Known = append(hello.Known, k)
		again.Reports = append(again.Reports, settled(k))
	}
	a.mu.Unlock()
	if err := s.Send(effect.Upward{Hello: &hello}); err != nil {
		return err
	}
	var sending sync.Mutex
	send := func(up effect.Upward) error {
		sending.Lock()
		defer sending.Unlock()
		return s.Send(up)
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return a.receive(s, send) })
	g.Go(func() error { return beat(ctx, send) })
	if len(again.Reports) > 0 {
		if err := send(again); err != nil {
			return err
		}
	}
	return g.Wait()
}

func beat(ctx context.Context, send func(effect.Upward) error) error {
	tick := time.NewTicker(effect.BeatInterval)
	defer tick.Stop()
	for serial := uint64(1); ; serial++ {
		if err := send(effect.Upward{Beat: &effect.Beat{Serial: serial}}); err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// receive settles what comes at once, until the session ends.
func (a *agent) receive(s *wire.Session, send func(effect.Upward) error) error {
	var heard bool
	defer func() {
		if heard {
			a.fleet.connected.Add(-1)
		}
	}()
	for {
		down, err := s.Recv()
		if err != nil {
			return err
		}
		if down.Beat != nil && !heard {
			heard = true
			a.fleet.connected.Add(1)
		}
		var up effect.Upward
		for _, i := range down.Set {
			k := effect.Known{Unit: i.Spec.Unit, Generation: i.Generation, Hash: i.Hash, Serial: i.Live.Serial}
			a.mu.Lock()
			_, had := a.known[k.Unit]
			a.known[k.Unit] = k
			a.mu.Unlock()
			if !had {
				a.fleet.units.Add(1)
			}
			a.fleet.told(i)
			up.Reports = append(up.Reports, settled(k))
		}
		if len(up.Reports) > 0 {
			if err := send(up); err != nil {
				return err
			}
		}
	}
}

func settled(k effect.Known) effect.Report {
	return effect.Report{
		Unit: k.Unit, Generation: k.Generation, Hash: k.Hash, Serial: k.Serial, Settled: true, Answered: true,
		Status: model.Status{Level: model.Active},
	}
}

// fleet is all agents, and what they were told.
type fleet struct {
	agents    []*agent
	connected atomic.Int64 // whose newest session was answered
	units     atomic.Int64 // that an agent was told of
	watch     atomic.Pointer[func(effect.Intent)]
	failures  atomic.Int64
	failure   atomic.Pointer[error] // the newest
	end       context.CancelFunc
	running   sync.WaitGroup
}

func (f *fleet) told(i effect.Intent) {
	if watch := f.watch.Load(); watch != nil {
		(*watch)(i)
	}
}

func (f *fleet) failed(err error) {
	f.failures.Add(1)
	f.failure.Store(&err)
}
