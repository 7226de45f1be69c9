package sim

import (
	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/engine/state/tables"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// checkApplied checks what must hold of every committed change: a life never
// goes back, a unit never moves, no more turns are held than their limit,
// records stay as they were written and tokens only rise.
func (s *simulation) checkApplied(before, after state.State, changed []state.Key) {
	for _, k := range changed {
		switch k.Table {
		case tables.Unit:
			s.checkUnit(before, after, k)
		case tables.Application:
			a, was := before.Application(k.Application())
			b, is := after.Application(k.Application())
			if was && is && a.CreateIndex == b.CreateIndex && b.Life < a.Life {
				s.fail("%v: its life went back from %v to %v", k, a.Life, b.Life)
			}
		case tables.Machine:
			ref := state.MachineRef{Model: k.Model, Machine: model.MachineName(k.ID)}
			a, was := before.Machine(ref)
			b, is := after.Machine(ref)
			if was && is && b.Life < a.Life {
				s.fail("%v: its life went back from %v to %v", k, a.Life, b.Life)
			}
		case tables.Turn:
			s.checkTurns(after, k)
		case tables.Lease:
			a, was := before.Lease(k.Application())
			b, is := after.Lease(k.Application())
			if was && is && b.Token <= a.Token {
				s.fail("%v: its token went from %d to %d", k, a.Token, b.Token)
			}
		case tables.Record:
			s.checkRecord(before, after, k)
		}
	}
}

func (s *simulation) checkUnit(before, after state.State, k state.Key) {
	ref, _ := k.Unit()
	a, was := before.Unit(ref)
	b, is := after.Unit(ref)
	switch {
	case !was || !is:
	case b.Life < a.Life || a.Teardown && !b.Teardown:
		s.fail("%v: its life went back from %v to %v", ref.Unit, a.Life, b.Life)
	case a.Machine != "" && a.Machine != b.Machine:
		s.fail("%v: it moved from machine %s to %s", ref.Unit, a.Machine, b.Machine)
	}
}

// checkTurns counts the holders of a turn, by group.
func (s *simulation) checkTurns(after state.State, k state.Key) {
	limits, groups := map[string]int{}, map[string]map[string]bool{}
	for _, t := range after.Turns(k.Application()) {
		if !t.Held {
			continue
		}
		name := t.Ask.Name
		if groups[name] == nil {
			groups[name], limits[name] = map[string]bool{}, max(1, t.Ask.Limit)
		}
		limits[name] = min(limits[name], max(1, t.Ask.Limit))
		groups[name][t.Group()] = true
		if len(groups[name]) > limits[name] {
			s.fail("turn %s of %s is held by %d, over its limit of %d", name, k.Application().Application, len(groups[name]), limits[name])
		}
	}
}

// checkTurn finds a disruption by a unit that does not hold the turn for it:
// another may hold it by now. A teardown needs none.
func (s *simulation) checkTurn(u *unitAgent, step effect.Step) {
	if step.Turn == nil || u.state.Journal.TearingDown() {
		return
	}
	t, _ := s.ctl.state.Turn(state.UnitRef{Model: Model, Unit: u.name}, step.Turn.Name)
	if !t.Held {
		s.fail("%v: %s without turn %s, which was taken from it", u.name, step.Name(), step.Turn.Name)
	}
}

// checkRecord finds records that changed.
func (s *simulation) checkRecord(before, after state.State, k state.Key) {
	owner := state.Owner{Application: k.Application().Application}
	if u, ok := k.Unit(); ok {
		owner.Unit = u.Unit
	}
	for _, was := range before.Records(k.Model, owner) {
		is, there := after.Record(k.Model, owner, was.Name)
		if there && is.CreateIndex == was.CreateIndex && is.Value != was.Value {
			s.fail("record %s of %v changed from %q to %q", was.Name, owner, was.Value, is.Value)
		}
	}
}

// checkPlaces finds a unit that runs on two machines.
func (s *simulation) checkPlaces(u model.UnitName) {
	var on *machine
	for _, m := range s.order {
		for _, p := range m.processes {
			if p.unit != u || p.pid == 0 {
				continue
			}
			if on != nil && on != m {
				s.fail("%v runs on machine %s and on %s", u, on.ref.Machine, m.ref.Machine)
			}
			on = m
		}
	}
}

// checkLeaders finds two units of an application that may both act as leader.
func (s *simulation) checkLeaders(u *unitAgent) {
	if !u.state.Leads() {
		return
	}
	for _, m := range s.order {
		for _, other := range m.runningUnits() {
			if other == u || other.name.Application != u.name.Application {
				continue
			}
			at := other.state
			at.Now = s.now
			if at.Leads() {
				s.fail("%v and %v both lead", u.name, other.name)
			}
		}
	}
}
