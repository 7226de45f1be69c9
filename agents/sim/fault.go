package sim

import (
	"maps"
	"slices"
	"time"

	"github.com/gantry-orchestrator/gantry/charms/sdk"
	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/model"
)

// Longest times that a fault lasts.
const (
	mostCrash   = 3 * time.Second
	mostSilence = 25 * time.Second
	mostDown    = 20 * time.Second
	mostCut     = 30 * time.Second
)

// plantFaults draws when what goes wrong in this phase. All of it is over
// before s.faulty.
func (s *simulation) plantFaults() {
	s.faulty = s.now
	if s.Faults.Count == 0 {
		return
	}
	s.faulty = s.now.Add(s.Faults.Span + mostCut)
	for range s.Faults.Count {
		kind := s.Faults.Kinds[s.rng.IntN(len(s.Faults.Kinds))]
		s.after(s.between(0, s.Faults.Span), func() { s.fault(kind) })
	}
}

// fault has something go wrong.
func (s *simulation) fault(kind Fault) {
	if kind == ControllerRestart {
		if s.ctl.up {
			s.logf("fault: %s", kind)
			s.ctl.stop()
			s.after(s.between(0, mostDown), s.ctl.start)
		}
		return
	}
	if len(s.order) == 0 {
		return
	}
	m := s.order[s.rng.IntN(len(s.order))]
	if !m.up || kind == AgentPause && (m.stopped || !m.running) {
		return
	}
	s.logf("fault: %s on machine %s", kind, m.ref.Machine)
	switch kind {
	case AgentCrash:
		m.crashAgent()
		s.after(s.between(0, mostCrash), m.startAgent)
	case AgentSilence:
		m.crashAgent()
		s.after(s.between(mostSilence/2, mostSilence), m.startAgent)
	case AgentPause:
		epoch := m.agent
		m.stop()
		s.after(s.between(mostSilence/5, mostSilence), func() {
			if m.agent == epoch && m.stopped {
				s.logf("machine %s: its agent goes on", m.ref.Machine)
				m.goOn()
			}
		})
	case MachineKill:
		m.reboot()
	case MachineCut:
		m.sever()
	case ServiceCrash:
		if ids := slices.Sorted(maps.Keys(m.processes)); len(ids) > 0 {
			m.crash(ids[s.rng.IntN(len(ids))])
		}
	}
}

// reboot kills a machine; its host agent notices and starts it with its disk.
func (m *machine) reboot() {
	s := m.sim
	m.kill()
	down := s.between(time.Second, mostDown)
	s.after(down/2, func() {
		if row, ok := s.ctl.state.Machine(m.ref); ok && row.UUID == m.uuid && row.State == state.MachineReady {
			if _, err := s.ctl.said(state.MachineDown{Model: Model, Machine: m.ref.Machine}); err != nil {
				s.logf("machine %s: %v", m.ref.Machine, err)
			}
		}
	})
	s.after(down, func() {
		if s.machines[m.uuid] == m && !m.up {
			m.boot()
		}
	})
}

// sever cuts a machine from the network for a while.
func (m *machine) sever() {
	if m.cut {
		return
	}
	m.cut = true
	s := m.sim
	m.tellUnits(func(u model.UnitName) sdk.Event { return sdk.UnitCut{Unit: u} })
	broken := m.session
	s.after(s.between(time.Second, 15*time.Second), func() {
		if broken != nil {
			broken.close()
		}
	})
	s.after(s.between(time.Second, mostCut), func() {
		m.cut = false
		s.logf("machine %s: healed", m.ref.Machine)
		if broken != nil {
			broken.close()
		}
		m.tellUnits(func(u model.UnitName) sdk.Event { return sdk.UnitHealed{Unit: u} })
	})
}

func (m *machine) tellUnits(of func(model.UnitName) sdk.Event) {
	for _, name := range slices.SortedFunc(maps.Keys(m.journals), model.CompareUnits) {
		m.sim.workload(name.Application).step(of(name))
	}
}
