package controller

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/gantry-orchestrator/gantry/engine/api"
	"github.com/gantry-orchestrator/gantry/engine/consensus"
	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

// How long one change of the members may take, and how often the leader looks
// without a cause whether one is needed.
const (
	memberTimeout = 10 * time.Second
	memberLook    = time.Second
)

// cluster keeps the log's members as the state has them. It implements
// api.Cluster.
type cluster struct {
	node  *consensus.Node
	greet func(id, address string)
	self  operator.ControllerSelf
	keys  func() (operator.ControllerKeys, error)
	log   *slog.Logger

	mu      sync.Mutex
	leaving map[string]bool // they are not to be added again
}

// Roster implements api.Cluster.
func (c *cluster) Roster() map[string]api.Seat {
	leader, _ := c.node.Leader()
	seats, contact, lag := map[string]api.Seat{}, c.node.Contact(), c.node.Lag()
	for _, m := range c.node.Members() {
		seat := api.Seat{Role: operator.Follows, Lag: lag[m.ID]}
		seat.Contact, seat.Heard = contact[m.ID]
		switch {
		case m.ID == leader.ID:
			seat.Role, seat.Lag = operator.Leads, 0
		case !m.Voter:
			seat.Role = operator.CatchingUp
		}
		seats[m.ID] = seat
	}
	return seats
}

// Transfer implements api.Cluster.
func (c *cluster) Transfer(ctx context.Context, id string) error { return c.node.Transfer(ctx, id) }

// Greet implements api.Cluster.
func (c *cluster) Greet(id, address string) { c.greet(id, address) }

// Keys implements api.Cluster.
func (c *cluster) Keys() (operator.ControllerKeys, error) { return c.keys() }

// Remove implements api.Cluster.
func (c *cluster) Remove(ctx context.Context, id string, force bool) error {
	c.mu.Lock()
	c.leaving[id] = true
	c.mu.Unlock()
	remove := c.node.RemoveMember
	if force {
		remove = c.node.ForceRemoveMember
	}
	ctx, cancel := context.WithTimeout(ctx, memberTimeout)
	defer cancel()
	err := remove(ctx, id)
	if err != nil {
		c.mu.Lock()
		delete(c.leaving, id)
		c.mu.Unlock()
	}
	return err
}

// lead keeps the members while this controller leads.
func (c *cluster) lead(ctx context.Context) error {
	c.mu.Lock()
	clear(c.leaving)
	c.mu.Unlock()
	tick := time.NewTicker(memberLook)
	defer tick.Stop()
	for ctx.Err() == nil {
		if err := c.align(ctx); err != nil && ctx.Err() == nil && !consensus.NotLeading(err) {
			c.log.Warn("the controllers are not all as they should be, will try again", "error", err)
		}
		select {
		case <-c.node.Advanced(c.node.State().Index()):
		case <-tick.C:
		case <-ctx.Done():
		}
	}
	return nil
}

// align does what is missing: one change at a time.
func (c *cluster) align(ctx context.Context) error {
	st := c.node.State()
	var errs []error
	members := map[string]consensus.Member{}
	for _, m := range c.node.Members() {
		members[m.ID] = m
	}
	for _, row := range st.Controllers() {
		m, in := members[row.ID]
		delete(members, row.ID)
		switch {
		case gone(st, row):
			errs = append(errs, c.bury(ctx, row.ID))
		case (!in || !m.Voter) && !c.isLeaving(row.ID):
			ctx, cancel := context.WithTimeout(ctx, memberTimeout)
			errs = append(errs, c.node.AddMember(ctx, consensus.Member{ID: row.ID, Address: row.ID}))
			cancel()
		}
	}
	for id := range members { // without a row
		if id != c.self.ID {
			errs = append(errs, c.Remove(ctx, id, false))
		}
	}
	return errors.Join(append(errs, c.raise(ctx, st))...)
}

// bury removes a controller whose unit is no more.
func (c *cluster) bury(ctx context.Context, id string) error {
	if err := c.Remove(ctx, id, false); err != nil {
		return err
	}
	return c.propose(ctx, state.RemoveController{ID: id})
}

// gone reports whether the unit that a controller was is no more, or its
// machine acknowledged to be lost.
func gone(st state.State, row state.Controller) bool {
	if row.Unit.IsZero() {
		return false
	}
	u, ok := st.Unit(state.UnitRef{Model: state.ControllerModel, Unit: row.Unit})
	if !ok || u.Life == model.Dead {
		return true
	}
	m, ok := st.Machine(state.MachineRef{Model: state.ControllerModel, Machine: u.Machine})
	return !ok || m.Fenced
}

// raise activates what all controllers understand by now.
func (c *cluster) raise(ctx context.Context, st state.State) error {
	rows := st.Controllers()
	if len(rows) == 0 {
		return nil
	}
	level := slices.MinFunc(rows, func(a, b state.Controller) int { return a.Level - b.Level }).Level
	if level <= st.Level() {
		return nil
	}
	c.log.Info("all controllers understand a new feature level", "level", level)
	return c.propose(ctx, state.RaiseLevel{Level: level})
}

func (c *cluster) isLeaving(id string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.leaving[id]
}

func (c *cluster) propose(ctx context.Context, ops ...state.Op) error {
	outcomes, err := c.node.Propose(ctx, state.Command{Origin: state.Agents, Author: "controller/" + c.self.ID, Ops: ops})
	if err != nil {
		return err
	}
	return outcomes[0].Err
}

// enrol says in the state what this controller is, now that it leads.
func (c *cluster) enrol() (state.Op, bool) {
	row, known := c.node.State().Controller(c.self.ID)
	want := state.SetController{ID: c.self.ID, Address: row.Address, Unit: row.Unit, Version: c.self.Version, Level: c.self.Level}
	if row.Address == "" || !row.Unit.IsZero() {
		want.Address = c.self.Address
	}
	return want, !known || row.Version != want.Version || row.Level != want.Level || row.Address != want.Address
}
