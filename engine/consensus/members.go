package consensus

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"github.com/gantry-orchestrator/gantry/model"
)

// Member is a controller that takes part.
type Member struct {
	ID      string
	Address string // host:port where other members reach it
	Voter   bool   // counts for a majority; one that has just joined does not yet
}

// reachable is how recently a member must have answered to count as up.
const reachable = 2 * time.Second

// roster is the members as last committed.
type roster struct {
	mu            sync.Mutex
	index         uint64
	configuration raft.Configuration
}

// note takes a configuration that was committed at an index.
func (r *roster) note(index uint64, c raft.Configuration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if index >= r.index {
		r.index, r.configuration = index, c.Clone()
	}
}

func (r *roster) committed() raft.Configuration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.configuration
}

func memberOf(s raft.Server) Member {
	return Member{ID: string(s.ID), Address: string(s.Address), Voter: s.Suffrage == raft.Voter}
}

// Members are the controllers as last committed, as far as this one knows, by
// id. One that has just started and has not heard of a leader tells what its
// log holds.
func (n *Node) Members() (members []Member) {
	servers := n.fsm.members.committed().Servers
	if servers == nil {
		servers = n.raft.GetConfiguration().Configuration().Servers
	}
	for _, s := range servers {
		members = append(members, memberOf(s))
	}
	slices.SortFunc(members, func(a, b Member) int { return strings.Compare(a.ID, b.ID) })
	return members
}

// Leader is who leads, as far as this one knows.
func (n *Node) Leader() (Member, bool) {
	address, id := n.raft.LeaderWithID()
	if id == "" {
		return Member{}, false
	}
	for _, m := range n.Members() {
		if m.ID == string(id) {
			return m, true
		}
	}
	return Member{ID: string(id), Address: string(address), Voter: true}, true
}

// Contact is, on the leader, how long ago each other member last answered. One
// that never did is absent.
func (n *Node) Contact() map[string]time.Duration {
	heard, _ := n.line.contacts()
	since := map[string]time.Duration{}
	for _, s := range n.raft.GetConfiguration().Configuration().Servers {
		if c := heard(s.ID); !c.at.IsZero() {
			since[string(s.ID)] = time.Since(c.at)
		}
	}
	return since
}

// member is how the latest configuration, committed or not, has a member.
func (n *Node) member(id string) (raft.Server, bool) {
	servers := n.raft.GetConfiguration().Configuration().Servers
	i := slices.IndexFunc(servers, func(s raft.Server) bool { return s.ID == raft.ServerID(id) })
	if i < 0 {
		return raft.Server{}, false
	}
	return servers[i], true
}

// only reports whether this node is the only one with a vote.
func (n *Node) only() bool {
	self, ok := n.member(n.config.ID)
	return ok && self.Suffrage == raft.Voter && n.majority(func(raft.ServerID) bool { return false })
}

// change runs one change of the members at a time, on the leader.
func (n *Node) change(ctx context.Context, do func(held *tenure) error) error {
	held := n.tenure.Load()
	if held == nil {
		return errNotLeader
	}
	select {
	case n.changing <- struct{}{}:
		defer func() { <-n.changing }()
	case <-held.ended:
		return errNotLeader
	case <-ctx.Done():
		return fmt.Errorf("wait for another change of the members: %w", ctx.Err())
	}
	return do(held)
}

// AddMember makes a controller a member, without a vote at first and with one
// once it has all that was committed; it returns then. Where the context ends
// before, the member stays without a vote and AddMember may be asked again. A
// member with another address has it changed.
func (n *Node) AddMember(ctx context.Context, m Member) error {
	err := n.change(ctx, func(held *tenure) error {
		id, at := raft.ServerID(m.ID), raft.ServerAddress(m.Address)
		now, known := n.member(m.ID)
		if known && now.Suffrage == raft.Voter {
			if now.Address == at {
				return nil
			}
			return membersError(n.settle(n.raft.AddVoter(id, at, 0, 0)))
		}
		if !known || now.Address != at {
			if err := n.settle(n.raft.AddNonvoter(id, at, 0, 0)); err != nil {
				return membersError(err)
			}
		}
		if err := n.caughtUp(ctx, held, id); err != nil {
			return err
		}
		return membersError(n.settle(n.raft.AddVoter(id, at, 0, 0)))
	})
	if err != nil {
		return fmt.Errorf("add controller %s at %s: %w", m.ID, m.Address, err)
	}
	return nil
}

// caughtUp waits until a member has answered that it holds all that is
// committed.
func (n *Node) caughtUp(ctx context.Context, held *tenure, id raft.ServerID) error {
	for {
		heard, changed := n.line.contacts()
		if c := heard(id); c.term == held.term && c.match >= n.raft.CommitIndex() && time.Since(c.at) < reachable {
			return nil
		}
		select {
		case <-changed:
		case <-held.ended:
			return errNotLeader
		case <-ctx.Done():
			return fmt.Errorf("it has no vote yet, as it lacks part of the log: see that it runs and is reached, and add it again: %w", ctx.Err())
		}
	}
}

// RemoveMember ends a membership. A leader that is to remove itself hands
// leadership on and returns model.ErrUnavailable: ask the next leader. It
// refuses with model.ErrConflict what would leave less than a majority of
// those who remain in reach.
func (n *Node) RemoveMember(ctx context.Context, id string) error { return n.remove(ctx, id, false) }

// ForceRemoveMember is RemoveMember that asks for no majority in reach. The
// last member cannot be removed.
func (n *Node) ForceRemoveMember(ctx context.Context, id string) error {
	return n.remove(ctx, id, true)
}

func (n *Node) remove(ctx context.Context, id string, force bool) error {
	err := n.change(ctx, func(held *tenure) error {
		if _, known := n.member(id); !known {
			return nil
		}
		if err := n.spared(ctx, held, id, force); err != nil {
			return err
		}
		if id == n.config.ID {
			if err := n.transfer(""); err != nil {
				return err
			}
			return fmt.Errorf("it led and has handed leadership on: %w", errNotLeader)
		}
		return membersError(n.settle(n.raft.RemoveServer(raft.ServerID(id), 0, 0)))
	})
	if err != nil {
		return fmt.Errorf("remove controller %s: %w", id, err)
	}
	return nil
}

// spared waits until a member can go: a leader that has just begun has not
// heard all of the others yet.
func (n *Node) spared(ctx context.Context, held *tenure, id string, force bool) error {
	hearing, cancel := context.WithTimeout(ctx, reachable/2)
	defer cancel()
	for {
		_, changed := n.line.contacts()
		err := n.spares(id, force)
		if err == nil {
			return nil
		}
		select {
		case <-changed:
		case <-held.ended:
			return errNotLeader
		case <-hearing.Done():
			return err
		}
	}
}

// spares says why a member cannot go.
func (n *Node) spares(id string, force bool) error {
	contact := n.Contact()
	voters, up := 0, 0
	for _, s := range n.raft.GetConfiguration().Configuration().Servers {
		if s.Suffrage != raft.Voter || string(s.ID) == id {
			continue
		}
		voters++
		if since, heard := contact[string(s.ID)]; string(s.ID) == n.config.ID || heard && since < reachable {
			up++
		}
	}
	switch {
	case voters == 0:
		return fmt.Errorf("it is the last one: add another first: %w", model.ErrConflict)
	case !force && up <= voters/2:
		return fmt.Errorf("%d of the %d that remain are in reach, which is no majority: bring them up or remove those that are gone first: %w", up, voters, model.ErrConflict)
	}
	return nil
}

// Transfer hands leadership to a member, or where id is empty to the one that
// is furthest.
func (n *Node) Transfer(ctx context.Context, id string) error {
	err := n.change(ctx, func(*tenure) error { return n.transfer(id) })
	if err != nil {
		return fmt.Errorf("hand leadership on: %w", err)
	}
	return nil
}

func (n *Node) transfer(id string) error {
	if id == "" {
		return membersError(n.settle(n.raft.LeadershipTransfer()))
	}
	to, known := n.member(id)
	switch {
	case id == n.config.ID:
		return nil
	case !known:
		return fmt.Errorf("controller %s is no member: %w", id, model.ErrNotFound)
	case to.Suffrage != raft.Voter:
		return fmt.Errorf("controller %s has no vote yet: %w", id, model.ErrConflict)
	}
	return membersError(n.settle(n.raft.LeadershipTransferToServer(to.ID, to.Address)))
}

// membersError gives an error of raft its class.
func membersError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, raft.ErrNotLeader), errors.Is(err, raft.ErrLeadershipLost), errors.Is(err, raft.ErrLeadershipTransferInProgress):
		return errNotLeader
	case errors.Is(err, raft.ErrRaftShutdown):
		return errStopped
	default:
		return fmt.Errorf("%w: ask again: %w", err, model.ErrUnavailable)
	}
}

// moved tells the log this node's address where it has changed while the node
// was the only member. Others are told theirs by AddMember.
func (n *Node) moved() {
	self, ok := n.member(n.config.ID)
	if !ok || !n.only() || string(self.Address) == n.config.Address {
		return
	}
	if err := n.settle(n.raft.AddVoter(self.ID, raft.ServerAddress(n.config.Address), 0, 0)); err != nil && n.config.Log != nil {
		n.config.Log.Warn("the address of this controller was not committed", "address", n.config.Address, "err", err)
	}
}
