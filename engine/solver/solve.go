package solver

import (
	"fmt"

	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// Blocked explains why a subject does not get further, and what would help.
type Blocked struct {
	Subject string // unit, relation or machine
	Holder  string // who holds it
	Reason  string
	Command string // that ends it; empty where waiting may
	Overdue bool   // a departure without progress until its deadline, or what waiting does not mend
}

// Solve returns the commands that follow from the state and from what was
// observed, for what is dirty: each with its cause and with preconditions, so
// that one made from what has changed since is refused and solved again. The
// order is that of the subjects' names. With everything dirty it also explains
// all that is blocked; else only what it came by.
func Solve(s state.State, dirty Dirty, o *Observed) ([]state.Command, []Blocked) {
	p := newProblem(s, o)
	applications, machines, models := dirty.resolve(s)
	for _, r := range applications {
		p.application(r)
	}
	for _, m := range models {
		p.place(m)
	}
	for _, r := range machines {
		p.machine(r)
	}
	for _, m := range models {
		p.model(m)
	}
	return p.commands, p.blocked
}

// problem is one run of the solver.
type problem struct {
	state.State
	seen     *Observed
	commands []state.Command
	blocked  []Blocked
	done     map[state.Key]bool // subjects of departure that were looked at
	wants    map[state.UnitRef]effect.Known
}

func newProblem(s state.State, o *Observed) *problem {
	return &problem{State: s, seen: o, done: map[state.Key]bool{}, wants: map[state.UnitRef]effect.Known{}}
}

// emit adds a command that follows from a revision and holds while what it was
// made from is unchanged.
func (p *problem) emit(cause uint64, op state.Op, reads ...state.Key) {
	c := state.Command{
		Version: state.FormatVersion, Now: p.seen.Now, Origin: state.Solver, Author: "solver",
		Cause: cause, Ops: []state.Op{op},
	}
	for _, k := range reads {
		c.Expect = append(c.Expect, state.Precondition{Key: k, Index: p.ModifyIndex(k)})
	}
	p.commands = append(p.commands, c)
}

func (p *problem) explain(b Blocked) { p.blocked = append(p.blocked, b) }

// application solves all that concerns one application, and the departures
// around it that wait for its units.
func (p *problem) application(r state.ApplicationRef) {
	a, ok := p.Application(r)
	if !ok {
		return
	}
	units := p.Units(r)
	p.subordinates(a)
	p.lease(a, units)
	p.order(a, units)
	p.turns(a, units)
	p.departures(a)
	for _, rel := range p.Relations(r) {
		_, remote, _ := rel.End(r.Application)
		if neighbour, ok := p.Application(state.ApplicationRef{Model: r.Model, Application: remote.Application}); ok && !rel.Peer() {
			p.departures(neighbour)
		}
	}
}

// model ends a model that is empty.
func (p *problem) model(name model.ModelName) {
	m, ok := p.Model(name)
	if !ok || m.Life == model.Alive || len(p.Applications(name)) > 0 || len(p.Machines(name)) > 0 {
		return
	}
	p.emit(m.Cause, state.Advance{Subject: state.ModelKey(name), To: state.Forget}, state.ModelKey(name))
}

// wanted is by what a unit's intent is known, looked up once in a run.
func (p *problem) wanted(u state.UnitRef) effect.Known {
	k, ok := p.wants[u]
	if !ok {
		k, _ = p.seen.Marks.of(p.State, u)
		p.wants[u] = k
	}
	return k
}

// host returns the machine of a unit. One that was not requested yet is the
// zero machine.
func (p *problem) host(u state.Unit) state.Machine {
	m, _ := p.Machine(state.MachineRef{Model: u.Model, Machine: u.Machine})
	return m
}

// started reports whether a unit's machine has ever joined, and is not known
// to be lost for good: such a unit can have seen an intent.
func (p *problem) started(u state.Unit) bool {
	m := p.host(u)
	return m.UUID != "" && m.State != state.MachineRequested && !m.Fenced
}

// reachable reports whether a unit's agent is there and speaks.
func (p *problem) reachable(u state.Unit) bool {
	m := p.host(u)
	return m.State == state.MachineReady && !m.Fenced && !p.seen.Silent(m.Ref())
}

// settledSince reports whether a unit has settled on an intent that was made
// at or after an index: its generation is the highest index that went in.
func (p *problem) settledSince(u state.Unit, index uint64) bool {
	r, ok := p.seen.Reports[u.Ref()]
	return ok && r.Settled && r.Generation >= index
}

// agentOf names a machine's agent, for explanations.
func agentOf(m state.Machine) string { return fmt.Sprintf("agent of machine %s", m.Name) }
