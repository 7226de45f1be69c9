package sim

import (
	"encoding/json"
	"time"

	"github.com/gantry-orchestrator/gantry/agents/unit"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// Times of a probe that names none, and of one reading.
const (
	defaultInterval = 5 * time.Second
	mostReading     = 20 * time.Millisecond
)

// prober reads one probe, again and again.
type prober struct {
	probe effect.Probe
	fact  unit.Debounced
}

// setProbes has just these probes read. One that is put otherwise keeps its
// fact; one that goes takes its fact along.
func (u *unitAgent) setProbes(probes []effect.Probe) {
	wanted := map[effect.ProbeID]bool{}
	for _, p := range probes {
		wanted[p.ID] = true
		old := u.probes[p.ID]
		if old != nil && same(old.probe, p) {
			continue
		}
		next := &prober{probe: p}
		if old != nil {
			next.fact = old.fact
		}
		u.probes[p.ID] = next
		u.readSoon(next)
	}
	for id := range u.probes {
		if !wanted[id] {
			delete(u.probes, id)
			delete(u.state.Facts, id)
			delete(u.state.Read, id)
		}
	}
}

func same(a, b effect.Probe) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && string(x) == string(y)
}

// readSoon reads a probe, and then at its interval.
func (u *unitAgent) readSoon(p *prober) {
	sim := u.machine.sim
	sim.after(sim.between(0, mostReading), u.guarded(func() {
		if u.probes[p.probe.ID] != p {
			return
		}
		u.learn(p, p.fact.Take(p.probe, u.read(p.probe)))
		interval := p.probe.Interval
		if interval <= 0 {
			interval = defaultInterval
		}
		sim.after(interval, u.guarded(func() { u.readSoon(p) }))
	}))
}

// readNow reads all probes at once: something on the host has changed.
func (u *unitAgent) readNow() {
	for _, p := range u.state.Answer.Desired.Probes {
		if at := u.probes[p.ID]; at != nil {
			u.learn(at, at.fact.Take(at.probe, u.read(at.probe)))
		}
	}
}

func (u *unitAgent) read(p effect.Probe) unit.Reading {
	value, known := u.machine.sim.workload(u.name.Application).read(u, p)
	return unit.Reading{Value: value, Failed: !known}
}

// learn takes a probe's standing into the state.
func (u *unitAgent) learn(p *prober, d unit.Debounced) {
	id := p.probe.ID
	was, known := u.state.Facts[id]
	changed := known != d.Known || was != d.Fact || !u.state.Read[id]
	p.fact = d
	u.state.Read[id] = true
	if d.Known {
		u.state.Facts[id] = d.Fact
	} else {
		delete(u.state.Facts, id)
	}
	if changed {
		u.poke()
	}
}

// refresh reads probes for a confirmation: their readings count at once.
func (u *unitAgent) refresh(probes []effect.Probe) {
	for _, p := range probes {
		if at := u.probes[p.ID]; at != nil {
			u.learn(at, at.fact.Refresh(u.read(p)))
		}
	}
}
