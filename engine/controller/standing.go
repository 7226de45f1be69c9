package controller

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/gantry-orchestrator/gantry/engine/consensus"
	"github.com/gantry-orchestrator/gantry/engine/controller/port"
	"github.com/gantry-orchestrator/gantry/engine/server"
)

const (
	standingLook = 200 * time.Millisecond
	// election is how long nobody may lead before that counts as a state of
	// affairs: until then a request is worth waiting.
	election = 2 * time.Second
	rollCall = 2 * time.Second // between two, while nobody leads
)

// standing knows how this controller stands among the others.
type standing struct {
	node   *consensus.Node
	id     string
	roster *roster
	dial   func(ctx context.Context, address string) error

	mu      sync.Mutex
	since   time.Time       // nobody leads; zero while someone does
	called  time.Time       // the roll
	missing map[string]bool // controllers that did not answer it, by ID
	heard   bool            // of a leader, since this process began

	followed chan struct{} // closed once another has led
	once     sync.Once
}

func newStanding(node *consensus.Node, id string, r *roster, p *port.Port) *standing {
	dial := p.Dialer(port.Requests)
	return &standing{
		node: node, id: id, roster: r, missing: map[string]bool{}, followed: make(chan struct{}),
		dial: func(ctx context.Context, address string) error {
			conn, err := dial(ctx, address)
			if err != nil {
				return err
			}
			return conn.Close()
		},
	}
}

// run watches who leads, and calls the roll while nobody does.
func (s *standing) run(ctx context.Context) error {
	tick := time.NewTicker(standingLook)
	defer tick.Stop()
	for {
		if s.look(time.Now()) {
			s.call(ctx)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// look notes whether anybody leads, and says whether to call the roll.
func (s *standing) look(now time.Time) bool {
	leader, led := s.node.Leader()
	if led && leader.ID != s.id {
		s.once.Do(func() { close(s.followed) })
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case led:
		s.since, s.heard = time.Time{}, true
		return false
	case s.since.IsZero():
		s.since, s.called = now, time.Time{}
	}
	return now.Sub(s.since) > election/2 && now.Sub(s.called) > rollCall
}

// call asks every controller for a handshake.
func (s *standing) call(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, election/2)
	defer cancel()
	var mu sync.Mutex
	missing := map[string]bool{}
	var g errgroup.Group
	for id, address := range s.roster.others(s.id) {
		g.Go(func() error {
			if address == "" || s.dial(ctx, address) != nil {
				mu.Lock()
				defer mu.Unlock()
				missing[id] = true
			}
			return nil
		})
	}
	_ = g.Wait() // none fails
	s.mu.Lock()
	defer s.mu.Unlock()
	s.missing, s.called = missing, time.Now()
}

// now implements server.Config.Standing.
func (s *standing) now() server.Standing {
	out := server.Standing{Leads: s.node.Leading(), Controllers: s.roster.addresses(), Epoch: s.node.State().Epoch()}
	if out.Leads {
		return out
	}
	if leader, ok := s.node.Leader(); ok && leader.ID != s.id {
		out.Leader = s.roster.address(leader.ID)
		return out
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.since.IsZero() || s.called.IsZero() || time.Since(s.since) < election {
		return out
	}
	others := s.roster.others(s.id)
	out.Index = s.node.State().Index()
	out.Alone = fmt.Sprintf("no leader since %s; %d of %d controllers answer",
		s.since.Format(time.TimeOnly), 1+len(others)-len(s.missing), 1+len(others))
	var names []string
	for _, id := range slices.Sorted(maps.Keys(s.missing)) {
		name := others[id]
		if row, ok := s.node.State().Controller(id); ok && !row.Unit.IsZero() {
			name = fmt.Sprintf("%v at %s", row.Unit, name)
		}
		names = append(names, name)
	}
	if len(names) > 0 {
		out.Alone += "; missing: " + strings.Join(names, ", ")
	}
	if !s.heard {
		// How far its log is committed only a leader can say.
		out.Alone += "; this controller was restarted since, and knows no more than its last snapshot"
	}
	return out
}
