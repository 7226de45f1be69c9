package agent

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/gantry-orchestrator/gantry/agents/perform"
	"github.com/gantry-orchestrator/gantry/agents/unit"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// defaultProbeInterval is that of a probe that names none.
const defaultProbeInterval = 5 * time.Second

// prober is the loop that reads one probe.
type prober struct {
	probe effect.Probe
	fact  unit.Debounced
	stop  context.CancelFunc
	wake  chan struct{}
}

// setProbes has just these probes read. One that stays as it was keeps its
// fact; one that goes takes its fact along.
func (u *unitLoop) setProbes(ctx context.Context, probes []effect.Probe) {
	wanted := map[effect.ProbeID]bool{}
	for _, p := range probes {
		wanted[p.ID] = true
		old := u.probes[p.ID]
		if old != nil && sameProbe(old.probe, p) {
			continue
		}
		next := &prober{probe: p, wake: make(chan struct{}, 1)}
		if old != nil {
			old.stop()
			next.fact = old.fact // the question is put otherwise; it is the same fact
		}
		probing, stop := context.WithCancel(ctx)
		next.stop = stop
		u.probes[p.ID] = next
		u.group.Go(func() error { return u.probe(probing, next) })
	}
	for id, old := range u.probes {
		if !wanted[id] {
			old.stop()
			delete(u.probes, id)
			delete(u.state.Facts, id)
			delete(u.state.Read, id)
		}
	}
}

func sameProbe(a, b effect.Probe) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errors.Join(errX, errY) == nil && string(x) == string(y)
}

// firstPause is how soon a probe is read again after it was woken.
const firstPause = 125 * time.Millisecond

// probe reads a probe at once when woken, soon again while what was done takes
// effect, and ever later up to its interval.
func (u *unitLoop) probe(ctx context.Context, p *prober) error {
	interval := p.probe.Interval
	if interval <= 0 {
		interval = defaultProbeInterval
	}
	wait := min(firstPause, interval)
	for ctx.Err() == nil {
		reading, asOf, err := u.read(ctx, p.probe)
		if err != nil {
			return nil
		}
		u.post(func() {
			// What was seen while a step was at work says nothing of now.
			if u.probes[p.probe.ID] == p && u.steps == asOf {
				u.learn(p, p.fact.Take(p.probe, reading), reading)
			}
		})
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-p.wake:
			wait = min(firstPause, interval)
		case <-timer.C:
			wait = min(2*wait, interval)
		}
		timer.Stop()
	}
	return nil
}

// read takes one reading, and says after how many steps it began. The error
// is ctx's.
func (u *unitLoop) read(ctx context.Context, p effect.Probe) (r unit.Reading, asOf int, err error) {
	var caller perform.Caller
	err = u.call(ctx, func() error {
		asOf = u.steps
		u.secrets.know(u.state.Journal.Intent.Spec)
		caller = call{charms: u.agent.Charms, charm: u.state.Journal.Intent.Spec.Charm, input: u.state.Input()}
		return nil
	})
	if err != nil {
		return r, asOf, err
	}
	value, err := perform.ReadProbe(ctx, u.secrets, caller, p)
	if ctx.Err() != nil {
		return r, asOf, ctx.Err()
	}
	return unit.Reading{Value: value, Failed: err != nil}, asOf, nil
}

// learn takes a probe's standing into the state. The probe counts as read once
// a reading has agreed with it: a value that is only kept up by Fall says
// nothing of what came after the last step.
func (u *unitLoop) learn(p *prober, d unit.Debounced, r unit.Reading) {
	id := p.probe.ID
	p.fact = d
	if d.Known {
		u.state.Facts[id] = d.Fact
	} else {
		delete(u.state.Facts, id)
	}
	if d.Known != r.Failed && d.Fact.Value == r.Value {
		u.state.Read[id] = true
	}
}

// refresh takes a reading that counts at once.
func (u *unitLoop) refresh(id effect.ProbeID, r unit.Reading) {
	if p := u.probes[id]; p != nil {
		u.learn(p, p.fact.Refresh(r), r)
	}
}

// readAll reads probes at the same time.
func (u *unitLoop) readAll(ctx context.Context, probes []effect.Probe) map[effect.ProbeID]unit.Reading {
	var mu sync.Mutex
	readings := map[effect.ProbeID]unit.Reading{}
	group, ctx := errgroup.WithContext(ctx)
	for _, p := range probes {
		group.Go(func() error {
			r, _, err := u.read(ctx, p)
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			readings[p.ID] = r
			return nil
		})
	}
	if group.Wait() != nil {
		return nil
	}
	return readings
}

// wakeProbes has all probes read now: something on the host has changed.
func (u *unitLoop) wakeProbes() {
	for _, p := range u.probes {
		select {
		case p.wake <- struct{}{}:
		default:
		}
	}
}
