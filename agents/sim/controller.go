package sim

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/gantry-orchestrator/gantry/engine/solver"
	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// lookInterval is how often a controller looks who fell silent.
const lookInterval = time.Second

// controller is the replicated log as one, and what its leader has heard.
type controller struct {
	sim      *simulation
	up       bool
	term     int // rises with each restart
	state    state.State
	seen     *solver.Observed
	dirty    solver.Dirty
	solving  bool
	looked   time.Time
	silent   map[state.MachineRef]bool
	sessions map[string]*session // by machine UUID
	making   map[string]bool     // machines that the host agent is at, by UUID
}

func newController(s *simulation) *controller {
	c := &controller{sim: s, state: state.Empty(), making: map[string]bool{}}
	c.start()
	return c
}

// start begins a term: nothing was heard yet.
func (c *controller) start() {
	c.up, c.term, c.solving = true, c.term+1, false
	c.seen = solver.NewObserved(c.sim.now)
	c.dirty = solver.Everything()
	c.silent, c.sessions = map[state.MachineRef]bool{}, map[string]*session{}
	term := c.term
	c.sim.after(lookInterval, func() { c.look(term) })
	c.solveSoon()
}

// stop ends a term; agents notice.
func (c *controller) stop() {
	c.up = false
	for _, m := range c.sim.order {
		if m.session != nil {
			m.session.close()
		}
	}
}

// look finds agents that fell silent, again and again.
func (c *controller) look(term int) {
	if !c.up || c.term != term {
		return
	}
	c.seen.Now, c.looked = c.sim.now, c.sim.now
	for _, m := range c.state.Machines(Model) {
		if silent := c.seen.Silent(m.Ref()); silent != c.silent[m.Ref()] {
			c.silent[m.Ref()] = silent
			c.dirty.Machine(c.state, m.Ref())
			c.sim.logf("controller: machine %s silent: %v", m.Name, silent)
		}
	}
	c.solveSoon()
	c.sim.after(lookInterval, func() { c.look(term) })
}

// apply commits a command and tells everybody whom it concerns.
func (c *controller) apply(command state.Command) (state.Result, error) {
	before := c.state
	command.Version, command.Now = state.FormatVersion, c.sim.now
	next, result, err := c.state.Apply(command)
	c.state = next
	c.sim.checkApplied(before, next, result.Changed)
	if err != nil {
		return result, err
	}
	c.seen.Now = c.sim.now
	c.dirty.Merge(solver.DirtyOf(next, result.Changed))
	c.push(solver.Affected(next, result.Changed))
	c.provide()
	c.solveSoon()
	return result, nil
}

// solveSoon has the solver run unless it is going to.
func (c *controller) solveSoon() {
	if c.solving || !c.up || c.dirty.Empty() && c.state.Silent() {
		return
	}
	c.solving = true
	term := c.term
	c.sim.after(c.sim.between(time.Millisecond, 20*time.Millisecond), func() {
		if c.up && c.term == term {
			c.solving = false
			c.solve()
		}
	})
}

func (c *controller) solve() {
	c.seen.Now = c.sim.now
	c.seen.Forget(c.state)
	dirty, through := c.dirty, c.state.Disturbed()
	c.dirty = solver.Dirty{}
	commands, _ := solver.Solve(c.state, dirty, c.seen)
	for _, command := range commands {
		c.sim.logf("solver: %s", opText(command.Ops[0]))
		if _, err := c.apply(command); err != nil {
			c.sim.logf("solver: refused: %v", err)
			c.dirty.Merge(dirty)
		}
	}
	if len(commands) == 0 && c.dirty.Empty() && !c.state.Silent() {
		if _, err := c.apply(state.Command{Origin: state.Solver, Ops: []state.Op{state.MarkSolved{Through: through}}}); err != nil {
			c.sim.fail("mark solved: %v", err)
		}
	}
	c.solveSoon()
}

// quiet reports whether nothing is left to solve.
func (c *controller) quiet() bool { return !c.solving && c.dirty.Empty() && c.state.Silent() }

// report takes what an agent says of a unit.
func (c *controller) report(r effect.Report) {
	c.seen.Now = c.sim.now
	c.dirty.Merge(c.seen.Take(Model, r))
	c.solveSoon()
}

// said commits what an agent asks for.
func (c *controller) said(ops ...state.Op) (state.Result, error) {
	return c.apply(state.Command{Origin: state.Agents, Author: "agent", Ops: ops})
}

// push sends the intents of units that may have changed.
func (c *controller) push(units []state.UnitRef) {
	byMachine := map[string][]model.UnitName{}
	for _, u := range units {
		for _, uuid := range slices.Sorted(maps.Keys(c.sessions)) {
			if c.sessions[uuid].concerns(u) {
				byMachine[uuid] = append(byMachine[uuid], u.Unit)
			}
		}
	}
	for _, uuid := range slices.Sorted(maps.Keys(byMachine)) {
		c.sessions[uuid].push(byMachine[uuid])
	}
}

// provide is the host agent: it makes the machines that are wanted and
// destroys those that are dead.
func (c *controller) provide() {
	for _, row := range c.state.Machines(Model) {
		switch {
		case c.making[row.UUID]:
		case row.Life == model.Dead:
			c.making[row.UUID] = true
			c.sim.after(c.sim.between(100*time.Millisecond, 3*time.Second), func() { c.sim.destroy(row) })
		case row.State == state.MachineRequested && row.Life == model.Alive:
			c.making[row.UUID] = true
			c.sim.after(c.sim.between(2*time.Second, 30*time.Second), func() { c.sim.provision(row.Ref(), row.UUID) })
		}
	}
}

// opText is an op as the trace has it.
func opText(op state.Op) string {
	type named interface{ String() string }
	if n, ok := op.(named); ok {
		return n.String()
	}
	return fmt.Sprintf("%T%+v", op, op)
}
