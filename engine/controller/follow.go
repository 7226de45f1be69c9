package controller

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gantry-orchestrator/gantry/engine/client"
	"github.com/gantry-orchestrator/gantry/engine/controller/pki"
	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/model"
)

// followLook is how often a controller looks at itself.
const followLook = 200 * time.Millisecond

// follow keeps the roster as the state has it, cuts off who was removed, and
// keeps this controller's role in files.
func (r *root) follow(ctx context.Context) error {
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
		if role := r.role(st); role != said {
			if err := r.say(role); err != nil {
				return err
			}
			said = role
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return r.say("stopped")
		}
	}
}

// say keeps the role in the files that say it.
func (r *root) say(role string) error {
	if r.RoleFile == "" {
		return nil
	}
	takesPart := role == "leader" || role == "follower"
	return errors.Join(
		pki.WriteFile(r.RoleFile, []byte(role)),
		pki.WriteFile(r.RoleFile+".member", fmt.Append(nil, takesPart)))
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

// tell announces where this controller is and what it has become to every
// other, until it is committed: those who are to find it may know neither. A
// leader says it as it begins to lead.
func (r *root) tell(ctx context.Context) error {
	for ctx.Err() == nil && !r.node.Leading() {
		others := r.roster.others(r.id)
		committed := len(others) == 0
		for _, address := range others {
			committed = r.announced(ctx, address) || committed
		}
		if committed {
			return nil
		}
		select {
		case <-time.After(joinAgain):
		case <-ctx.Done():
		}
	}
	return nil
}

// announced reports whether an announcement to a controller is committed, or
// never will be.
func (r *root) announced(ctx context.Context, address string) bool {
	ctx, cancel := context.WithTimeout(ctx, joinAgain)
	defer cancel()
	peers := client.DialPeers(r.pair, address)
	defer peers.Close()
	err := peers.Announce(ctx, r.self())
	if errors.Is(err, model.ErrDenied) {
		r.Log.Warn("another does not take what this controller has become", "controller", address, "error", err)
	}
	return err == nil || errors.Is(err, model.ErrDenied)
}
