package sim

import (
	"fmt"
	"time"

	"github.com/gantry-orchestrator/gantry/engine/solver"
	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// Delays of messages, and how long a call waits for its answer.
const (
	leastDelay  = time.Millisecond
	mostDelay   = 50 * time.Millisecond
	callTimeout = 5 * time.Second
)

// session is an agent's stream to a controller and back. What is sent on it
// arrives in order, or not at all once it is closed.
type session struct {
	ctl      *controller
	machine  *machine
	agent    int // epoch of the agent that opened it
	closed   bool
	down, up time.Time // when the last message arrives
	sent     map[model.UnitName]effect.Known
}

// connect opens a session, if the machine reaches a controller.
func (m *machine) connect(epoch int) {
	if m.stopped {
		m.does(func() { m.connect(epoch) })
		return
	}
	if m.agent != epoch || !m.running || m.session != nil {
		return
	}
	c := m.sim.ctl
	if m.cut || !c.up {
		m.sim.after(m.sim.between(500*time.Millisecond, 4*time.Second), func() { m.connect(epoch) })
		return
	}
	s := &session{ctl: c, machine: m, agent: epoch, sent: map[model.UnitName]effect.Known{}}
	m.session = s
	for _, u := range m.runningUnits() {
		in := u.state.Journal.Intent
		s.sent[u.name] = effect.Known{Unit: u.name, Generation: in.Generation, Hash: in.Hash, Serial: in.Live.Serial}
	}
	s.upward(func() {
		if old := c.sessions[m.uuid]; old != nil && old != s {
			old.close()
		}
		c.sessions[m.uuid] = s
		s.greet()
	})
	for _, u := range m.runningUnits() {
		u.connected(true)
	}
	m.beat(s)
}

// close ends a session on both sides; the agent opens another.
func (s *session) close() {
	if s.closed {
		return
	}
	s.closed = true
	if s.ctl.sessions[s.machine.uuid] == s {
		delete(s.ctl.sessions, s.machine.uuid)
	}
	m := s.machine
	m.does(func() {
		if m.session != s {
			return
		}
		m.session = nil
		for _, u := range m.runningUnits() {
			u.connected(false)
		}
		epoch := m.agent
		m.sim.after(m.sim.between(200*time.Millisecond, 2*time.Second), func() { m.connect(epoch) })
	})
}

// upward carries a message to the controller.
func (s *session) upward(arrive func()) {
	s.up = s.send(s.up, arrive)
}

// downward carries a message to the agent.
func (s *session) downward(arrive func()) {
	s.down = s.send(s.down, func() {
		s.machine.hears(func() {
			if s.machine.agent == s.agent {
				arrive()
			}
		})
	})
}

// send has a message arrive after those before it, unless the way is cut
// until the session is closed.
func (s *session) send(last time.Time, arrive func()) time.Time {
	sim := s.ctl.sim
	at := sim.now.Add(sim.between(leastDelay, mostDelay))
	if at.Before(last) {
		at = last
	}
	sim.after(at.Sub(sim.now), func() {
		if !s.closed && !s.machine.cut {
			arrive()
		}
	})
	return at
}

// beat keeps leadership while it is echoed.
func (m *machine) beat(s *session) {
	if s.closed || m.session != s || m.agent != s.agent {
		return
	}
	sent := m.sim.now
	s.upward(func() {
		c := s.ctl
		ref := m.ref
		c.seen.Heard[ref] = m.sim.now
		s.downward(func() {
			for _, u := range m.runningUnits() {
				u.lead(sent.Add(effect.LeaseTerm - effect.LeaseMargin))
			}
		})
	})
	m.sim.after(effect.BeatInterval, func() { m.does(func() { m.beat(s) }) })
}

// concerns reports whether a unit is, or was, on the session's machine.
func (s *session) concerns(u state.UnitRef) bool {
	if _, sent := s.sent[u.Unit]; sent {
		return true
	}
	row, ok := s.ctl.state.Unit(u)
	return ok && row.Machine == s.machine.ref.Machine
}

// greet answers a Hello: it sends whatever differs from what is known.
func (s *session) greet() {
	var names []model.UnitName
	for _, u := range s.ctl.state.UnitsOn(s.machine.ref) {
		names = append(names, u.Name)
	}
	for _, u := range s.machine.runningUnits() {
		if _, ok := s.ctl.state.Unit(state.UnitRef{Model: Model, Unit: u.name}); !ok {
			names = append(names, u.name)
		}
	}
	s.push(names)
}

// push sends the intents of some units where they differ from what was sent.
func (s *session) push(names []model.UnitName) {
	for _, name := range names {
		in, wanted := solver.IntentOf(s.ctl.state, state.UnitRef{Model: Model, Unit: name})
		sent, known := s.sent[name]
		now := effect.Known{Unit: name, Generation: in.Generation, Hash: in.Hash, Serial: in.Live.Serial}
		m := s.machine
		switch {
		case !wanted && known:
			delete(s.sent, name)
			s.downward(func() { m.withdraw(name) })
		case wanted && (!known || sent != now):
			s.sent[name] = now
			copies := 1
			if s.ctl.sim.lossy() {
				copies = 2
			}
			for range copies {
				s.downward(func() { m.setIntent(in) })
			}
		}
	}
}

// lossy draws whether a message meets with a fault.
func (s *simulation) lossy() bool {
	return s.Faults.Lossy && s.now.Before(s.faulty) && s.rng.IntN(10) == 0
}

// call carries a request of a unit to the controller and its answer back. An
// answer that is lost leaves the agent not knowing.
func (u *unitAgent) call(request func() error, done func(error)) {
	s := u.machine.sim
	lost := fmt.Errorf("the controller does not answer: %w", model.ErrUnavailable)
	s.after(s.between(leastDelay, mostDelay), func() {
		if u.machine.cut || !s.ctl.up {
			s.after(callTimeout, u.guarded(func() { done(lost) }))
			return
		}
		err := request()
		s.after(s.between(leastDelay, mostDelay), u.guarded(func() {
			if u.machine.cut || s.lossy() {
				s.after(callTimeout, u.guarded(func() { done(lost) }))
				return
			}
			done(err)
		}))
	})
}

// guarded does something only while the agent lives that asked for it, and
// once it runs.
func (u *unitAgent) guarded(do func()) func() {
	living := u.beside(do)
	return func() { u.machine.does(living) }
}

// beside is guarded for what a process of its own does, also while the agent
// is stopped.
func (u *unitAgent) beside(do func()) func() {
	epoch := u.epoch
	return func() {
		if u.machine.agent == epoch && !u.gone {
			do()
		}
	}
}

// speaker refuses what is said for a unit that is not on the machine, as a
// controller does.
func (u *unitAgent) speaker() error {
	row, ok := u.machine.sim.ctl.state.Unit(state.UnitRef{Model: Model, Unit: u.name})
	host, joined := u.machine.sim.ctl.state.MachineByUUID(u.machine.uuid)
	if !ok || !joined || host.Fenced || row.Machine != host.Name {
		return fmt.Errorf("unit %v is not on machine %s: %w", u.name, u.machine.uuid, model.ErrDenied)
	}
	return nil
}
