package api

import (
	"context"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

// Cluster is the controllers as the log has them.
type Cluster interface {
	// Roster says how each member stands, by ID.
	Roster() map[string]Seat
	// Transfer hands leadership to a member, or to the best where id is "".
	Transfer(ctx context.Context, id string) error
	// Remove takes a member out of the log's; by force also where the rest
	// is no majority for now. It returns once that is so.
	Remove(ctx context.Context, id string, force bool) error
	// Greet notes where a member says that it is, committed or not: without
	// that, those who moved while nobody led could not be found to elect anyone.
	Greet(id, address string)
	// Keys are what a new member needs, but for who the members are.
	Keys() (operator.ControllerKeys, error)
}

// Seat is how a member of the log stands.
type Seat struct {
	Role    operator.ControllerRole
	Heard   bool          // it was, at Contact before now
	Contact time.Duration //
	Lag     uint64        // entries that it does not have
}

// reachable is how recently a controller must have been heard to count as
// answering.
const reachable = 3 * time.Second

// ListMembers returns the controllers by ID.
func (s *Service) ListMembers(ctx context.Context) ([]operator.Controller, error) {
	if _, err := caller(ctx, Login, ""); err != nil {
		return nil, err
	}
	st, err := s.log.Read(ctx)
	if err != nil {
		return nil, err
	}
	return s.controllers(st), nil
}

func (s *Service) controllers(st state.State) []operator.Controller {
	seats, list := s.c.Cluster.Roster(), []operator.Controller{}
	for _, c := range st.Controllers() {
		row := operator.Controller{
			ID: c.ID, Address: c.Address, Unit: c.Unit, Version: c.Version, Level: c.Level, Joined: c.Joined,
			Role: operator.CatchingUp, Self: c.ID == s.c.About.ID,
		}
		if seat, ok := seats[c.ID]; ok {
			row.Role, row.Lag, row.LastContact = seat.Role, seat.Lag, seat.Contact
			row.Answers = row.Self || seat.Heard && seat.Contact < reachable
		}
		list = append(list, row)
	}
	return list
}

// TransferLeadership hands leadership on.
func (s *Service) TransferLeadership(ctx context.Context, to string) error {
	if _, err := caller(ctx, Superuser, ""); err != nil {
		return err
	}
	if to != "" {
		if _, err := member(s.log.State(), to); err != nil {
			return err
		}
	}
	return s.c.Cluster.Transfer(ctx, to)
}

// RemoveMember ends the membership of a controller that does not come back.
func (s *Service) RemoveMember(ctx context.Context, id string) error {
	who, err := caller(ctx, Superuser, "")
	if err != nil {
		return err
	}
	if _, err := member(s.log.State(), id); err != nil {
		return err
	}
	return s.dismiss(ctx, who, id, true)
}

func member(st state.State, id string) (state.Controller, error) {
	c, ok := st.Controller(id)
	if !ok || !c.Left.IsZero() {
		return c, fmt.Errorf("controller %s: see gantry controllers: %w", id, model.ErrNotFound)
	}
	return c, nil
}

// dismiss takes a controller out of the log's members first: who counts for a
// majority must be listened to until it counts no more.
func (s *Service) dismiss(ctx context.Context, who Identity, id string, force bool) error {
	if len(s.log.State().Controllers()) == 1 {
		return fmt.Errorf("controller %s is the last one: use gantry down --destroy: %w", id, model.ErrConflict)
	}
	if err := s.c.Cluster.Remove(ctx, id, force); err != nil {
		return err
	}
	_, err := s.said(ctx, who, state.RemoveController{ID: id})
	return err
}

// Join makes the controller on the calling machine a member, or says anew what
// it is, and hands it the keys of the control plane.
func (s *Service) Join(ctx context.Context, self operator.ControllerSelf) (operator.ControllerKeys, error) {
	who, unit, err := s.carrier(ctx)
	if err != nil {
		return operator.ControllerKeys{}, err
	}
	st, err := s.log.Read(ctx)
	if err != nil {
		return operator.ControllerKeys{}, err
	}
	var ops []state.Op
	for _, c := range st.Controllers() {
		switch {
		case c.Unit == unit && c.ID != self.ID:
			return operator.ControllerKeys{}, fmt.Errorf("%v is controller %s already: remove that with gantry controllers remove: %w", unit, c.ID, model.ErrConflict)
		case c.ID == s.c.About.ID && isLoopback(c.Address) && !isLoopback(reachedAt(ctx)):
			// From here on others are to find it where this machine has.
			ops = append(ops, state.SetController{ID: c.ID, Address: reachedAt(ctx), Unit: c.Unit, Version: c.Version, Level: c.Level})
		}
	}
	ops = append(ops, state.SetController{ID: self.ID, Address: self.Address, Unit: unit, Version: self.Version, Level: self.Level})
	if _, err := s.said(ctx, who, ops...); err != nil {
		return operator.ControllerKeys{}, err
	}
	keys, err := s.c.Cluster.Keys()
	if err != nil {
		return keys, err
	}
	keys.Provider = s.c.About.Provider
	for _, c := range s.log.State().Controllers() {
		keys.Members = append(keys.Members, operator.ControllerSelf{ID: c.ID, Address: c.Address, Version: c.Version, Level: c.Level})
	}
	return keys, nil
}

// carrier returns the calling machine's unit that is a controller.
func (s *Service) carrier(ctx context.Context) (Identity, model.UnitName, error) {
	who, m, err := s.on(ctx)
	if err != nil {
		return who, model.UnitName{}, err
	}
	if m.Model == state.ControllerModel {
		for _, u := range s.log.State().UnitsOn(m.Ref()) {
			if u.Name.Application == state.ControllerApplication {
				return who, u.Name, nil
			}
		}
	}
	return who, model.UnitName{}, fmt.Errorf("machine %s of model %s carries no controller: %w", m.Name, m.Model, model.ErrDenied)
}

// Leave ends the membership of the controller on the calling machine. One that
// is none already has left.
func (s *Service) Leave(ctx context.Context, id string) error {
	who, unit, err := s.carrier(ctx)
	if err != nil {
		return err
	}
	c, ok := s.log.State().Controller(id)
	if !ok || !c.Left.IsZero() {
		return nil
	}
	if c.Unit != unit {
		return fmt.Errorf("controller %s is not %v: %w", id, unit, model.ErrDenied)
	}
	return s.dismiss(ctx, who, id, false)
}

// Announce says where a member is and what it has become. Any controller takes
// note; it is committed by who leads.
func (s *Service) Announce(ctx context.Context, self operator.ControllerSelf) error {
	who, err := caller(ctx, Peer, "")
	if err != nil {
		return err
	}
	if who.Name != self.ID {
		return fmt.Errorf("controller %s speaks of %s: %w", who.Name, self.ID, model.ErrDenied)
	}
	c, known := s.log.State().Controller(self.ID)
	address := c.Address
	if !c.Unit.IsZero() || !known { // the other one is told by those who reach it where it is
		address = self.Address
		if !isLoopback(address) {
			s.c.Cluster.Greet(self.ID, address)
		}
	}
	_, err = s.said(ctx, who, state.SetController{ID: self.ID, Address: address, Unit: c.Unit, Version: self.Version, Level: self.Level})
	return err
}

// Archives lists the charms that were uploaded and are kept here.
func (s *Service) Archives(ctx context.Context) ([]operator.CharmArchive, error) {
	if _, err := caller(ctx, Peer, ""); err != nil {
		return nil, err
	}
	return s.c.Catalog.Archives(), nil
}

// Archive sends an uploaded charm to another controller.
func (s *Service) Archive(ctx context.Context, hash string, to io.Writer) error {
	if _, err := caller(ctx, Peer, ""); err != nil {
		return err
	}
	archive, err := s.c.Catalog.Open(hash)
	if err != nil {
		return err
	}
	defer archive.Close()
	if _, err := io.Copy(to, archive); err != nil {
		return fmt.Errorf("send charm %s: %w", hash, err)
	}
	return nil
}

type (
	staleKey     struct{}
	reachedAtKey struct{}
)

// Stale marks a request that is answered from what this controller knows.
func Stale(ctx context.Context) context.Context { return context.WithValue(ctx, staleKey{}, true) }

// IsStale reports whether a request was marked so.
func IsStale(ctx context.Context) bool { return ctx.Value(staleKey{}) != nil }

// ReachedAt notes the address at which the caller has reached this controller.
func ReachedAt(ctx context.Context, address string) context.Context {
	return context.WithValue(ctx, reachedAtKey{}, address)
}

func reachedAt(ctx context.Context) string {
	address, _ := ctx.Value(reachedAtKey{}).(string)
	return address
}

// isLoopback reports whether an address is of use to nobody elsewhere.
func isLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	ip := net.ParseIP(host)
	return err != nil || ip != nil && ip.IsLoopback()
}
