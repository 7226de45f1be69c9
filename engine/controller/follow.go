package controller

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/gantry-orchestrator/gantry/engine/client"
	"github.com/gantry-orchestrator/gantry/engine/controller/pki"
	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/model"
)

// followLook is how often a controller looks at itself.
const followLook = 200 * time.Millisecond

// follow keeps the roster as the state has it, cuts off who was removed, tells
// the others what this controller has become, and keeps its role in a file.
func (r *root) follow(ctx context.Context) error {
	if r.RoleFile != "" {
		if err := os.Remove(r.RoleFile); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("controller: %w", err)
		}
	}
	tick := time.NewTicker(followLook)
	defer tick.Stop()
	var said string
	for {
		st := r.node.State()
		changed, err := r.roster.follow(st)
		if err != nil {
			return err
		}
		if changed {
			r.port.Review()
		}
		if role := r.role(st); role != said && r.RoleFile != "" {
			if err := pki.WriteFile(r.RoleFile, []byte(role)); err != nil {
				return err
			}
			said = role
		}
		r.tell(ctx, st)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// role is what this controller is among the others.
func (r *root) role(st state.State) string {
	row, known := st.Controller(r.id)
	if known && !row.Left.IsZero() {
		return "removed"
	}
	if r.node.Leading() {
		return "leader"
	}
	if _, led := r.node.Leader(); !led {
		return "alone"
	}
	for _, m := range r.node.Members() {
		if m.ID == r.id && m.Voter {
			return "follower"
		}
	}
	return "catching up"
}

// tell announces a version or an address that the state does not have yet, by way of who
// leads. A leader says it as it begins to lead.
func (r *root) tell(ctx context.Context, st state.State) {
	row, known := st.Controller(r.id)
	leader, led := r.node.Leader()
	moved := !row.Unit.IsZero() && row.Address != r.addresses[0]
	if !known || !led || leader.ID == r.id || row.Version == r.Version && row.Level == state.KnownLevel && !moved {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, memberTimeout)
	defer cancel()
	peers := client.DialPeers(r.pair, r.roster.address(leader.ID))
	defer peers.Close()
	if err := peers.Announce(ctx, r.self()); err != nil && !errors.Is(err, model.ErrUnavailable) {
		r.Log.Warn("the others do not take what this controller has become", "error", err)
	}
}
