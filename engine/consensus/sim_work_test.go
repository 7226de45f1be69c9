package consensus

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/charm"
)

var simApplication = state.ApplicationRef{Model: "m", Application: "pg"}

const simRegisters = 2

func simUnit(n int) model.UnitName { return model.UnitName{Application: "pg", Number: n} }

// simWorld is a led application of three units, and models to write to.
func simWorld() (commands []state.Command) {
	said := func(key string, ops ...state.Op) {
		commands = append(commands, state.Command{Key: key, Origin: state.Operator, Author: "sim", Ops: ops})
	}
	said("model", state.AddModel{Model: "m", UUID: "m"},
		state.AddCharm{Model: "m", Hash: "h", Declared: charm.Charm{Meta: charm.Meta{Name: "pg", Endpoints: []model.Endpoint{charm.JujuInfo}}}},
		state.AddApplication{Model: "m", Name: "pg", Charm: "pg", Hash: "h", Units: 3})
	for i := range 3 {
		said(fmt.Sprint("unit", i), state.RequestMachine{Model: "m", Units: []model.UnitName{simUnit(i)}},
			state.MachineJoined{Model: "m", Machine: model.MachineName(fmt.Sprint(i)), Address: "10.0.0.1"})
	}
	said("lease", state.GrantLease{Model: "m", Holder: simUnit(0)})
	for i := range simRegisters {
		name := fmt.Sprint("r", i)
		said(name, state.AddModel{Model: model.ModelName(name), UUID: name})
	}
	return commands
}

// party runs a party of the simulation until all faults have begun, each with
// randomness of its own.
func (c *simCluster) party(number uint64, step func(rng *rand.Rand)) {
	c.busy.Go(func() {
		rng := rand.New(rand.NewPCG(c.seed, 1000+number))
		for {
			step(rng)
			select {
			case <-c.over:
				return
			case <-time.After(time.Duration(rng.IntN(150)+10) * time.Millisecond):
			}
		}
	})
}

// reader reads registers, often, from whoever takes itself for the leader.
func (c *simCluster) reader(id int) {
	c.party(uint64(id), func(rng *rand.Rand) {
		for range 4 {
			c.read(rng, id, fmt.Sprint("r", rng.IntN(simRegisters)))
			time.Sleep(time.Duration(rng.IntN(20)) * time.Millisecond)
		}
	})
}

// client reads and writes registers, and tells the history.
func (c *simCluster) client(id int) {
	written := 0
	c.party(uint64(id), func(rng *rand.Rand) {
		register := fmt.Sprint("r", rng.IntN(simRegisters))
		if rng.IntN(2) == 0 {
			c.read(rng, id, register)
			return
		}
		written++
		value := fmt.Sprintf("10.%d.%d.0/24", id, written)
		call := c.history.Write(id, register, value)
		o, known, nothing := c.propose(rng, 4*time.Second, state.Command{
			Key: fmt.Sprintf("w-%d-%d", id, written), Origin: state.Operator, Author: "sim",
			Ops: []state.Op{state.SetNetwork{Model: model.ModelName(register), CIDR: value}},
		})
		switch {
		case known && o.Err == nil:
			call.Done("")
		case known:
			c.fail("a write was refused: %v", o.Err)
		case nothing:
			call.Refused()
		default:
			call.Unknown()
		}
	})
}

func (c *simCluster) read(rng *rand.Rand, id int, register string) {
	p := c.ask(rng)
	if p == nil {
		return
	}
	call := c.history.Read(id, register)
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	s, err := p.Read(ctx)
	if err != nil || !p.end.alive() {
		call.Unknown()
		return
	}
	m, _ := s.Model(model.ModelName(register))
	call.Done(m.CIDR)
}

// solve is what a leader does: it moves the lease, by what it has read, and
// destroys models.
func (c *simCluster) solve(ctx context.Context, m *simMember, p *simProcess) error {
	rng := rand.New(rand.NewPCG(c.seed, p.raft.CurrentTerm()))
	c.logf("%s leads and has caught up", m.id)
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Duration(rng.IntN(900)+100) * time.Millisecond):
		}
		p.pause.wait()
		s := p.State()
		l, _ := s.Lease(simApplication)
		_, err := p.Node.Propose(ctx, state.Command{
			Origin: state.Solver, Expect: []state.Precondition{{Key: state.LeaseKey(simApplication), Index: l.ModifyIndex}},
			Ops: []state.Op{state.GrantLease{Model: "m", Holder: simUnit(rng.IntN(3))}},
		})
		if err != nil && ctx.Err() == nil && !isUnavailable(err) {
			c.fail("%s: the solver was told %v", m.id, err)
		}
	}
}

// agent opens and closes claims as the leader that it takes itself for, by
// what any member, however far behind, last told it.
func (c *simCluster) agent(unit int) {
	var lease state.Lease
	runs := 0
	closed := map[string]uint64{} // tokens of what it has done: all of it, it takes for lost
	c.party(uint64(100+unit), func(rng *rand.Rand) {
		if p := c.machines()[rng.IntN(len(c.machines()))].running(); p != nil && rng.IntN(3) == 0 {
			lease, _ = p.State().Lease(simApplication)
		}
		if lease.Token == 0 {
			return
		}
		runs++
		task := fmt.Sprint("t", rng.IntN(2))
		key := fmt.Sprint("k", rng.IntN(50))
		o, known, _ := c.propose(rng, time.Second, state.Command{
			Key: fmt.Sprintf("open-%d-%d", unit, runs), Origin: state.Agents, Author: "sim",
			Ops: []state.Op{state.OpenClaim{Model: "m", Unit: simUnit(unit), Task: task, TaskKey: key, Token: lease.Token, Supersedes: closed[task+key], Deadline: time.Second}},
		})
		if !known || o.Err != nil {
			return
		}
		time.Sleep(time.Duration(rng.IntN(1500)) * time.Millisecond)
		token := o.Result.Index - uint64(rng.IntN(4)/3) // at times one that is not the claim's
		o, known, _ = c.propose(rng, time.Second, state.Command{
			Key: fmt.Sprintf("close-%d-%d", unit, runs), Origin: state.Agents, Author: "sim",
			Ops: []state.Op{state.CloseClaim{Model: "m", Unit: simUnit(unit), Task: task, TaskKey: key, Token: token}},
		})
		if known && o.Err == nil {
			closed[task+key] = token
		}
	})
}

// operator makes and destroys models.
func (c *simCluster) operator() {
	n := 0
	c.party(200, func(rng *rand.Rand) {
		n++
		name := model.ModelName(fmt.Sprint("x", n))
		for _, op := range []state.Op{state.AddModel{Model: name, UUID: string(name)}, state.DestroyModel{Model: name}} {
			o, known, _ := c.propose(rng, 3*time.Second, state.Command{
				Key: fmt.Sprintf("%s-%T", name, op), Origin: state.Operator, Author: "sim", Ops: []state.Op{op},
			})
			if known && o.Err != nil && !errors.Is(o.Err, model.ErrNotFound) {
				c.fail("%T %s was told %v", op, name, o.Err)
			}
		}
	})
}
