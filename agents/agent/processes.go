package agent

import (
	"context"
	"log/slog"
	"maps"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/gantry-orchestrator/gantry/agents/supervise"
	"github.com/gantry-orchestrator/gantry/agents/unit"
)

// processes are what the supervisor runs, as last heard. The mutex, which is
// taken before the agent's, also keeps what the units are told in order.
type processes struct {
	mu    sync.Mutex
	of    map[string]map[string]supervise.Process // by unit, then service; nil until the supervisor answered
	notes uint64                                  // changes that were ours, so far
	last  map[string]uint64                       // note of each unit's last
}

// The supervisor is asked what runs every processInterval, and when it says
// that something changed; then once for all that changes within listPause.
const (
	processInterval = 5 * time.Second
	listPause       = 50 * time.Millisecond
)

// watchServices tells every unit what the supervisor runs, after each change.
func (a *agent) watchServices(ctx context.Context) error {
	changed := make(chan struct{}, 1)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return a.watchSupervisor(ctx, changed) })
	group.Go(func() error {
		ticker := time.NewTicker(processInterval)
		defer ticker.Stop()
		for {
			if err := a.listServices(ctx); err != nil && ctx.Err() == nil {
				a.Logger.Warn("the supervisor does not answer", slog.Any("error", err))
			}
			if err := pause(ctx, listPause); err != nil {
				return err
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-changed:
			case <-ticker.C:
			}
		}
	})
	return group.Wait()
}

// watchSupervisor tells when something changes.
func (a *agent) watchSupervisor(ctx context.Context, changed chan<- struct{}) error {
	for n := 1; ctx.Err() == nil; n++ {
		for _, err := range a.Supervisor.Watch(ctx) {
			if err != nil {
				break
			}
			n = 1
			select {
			case changed <- struct{}{}:
			default:
			}
		}
		if err := pause(ctx, min(unit.Backoff(n), processInterval)); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// listServices asks the supervisor, and tells the units of which something
// changed: each that is told asks itself what to do next.
func (a *agent) listServices(ctx context.Context) error {
	ps := &a.processes
	ps.mu.Lock()
	asked := ps.notes
	ps.mu.Unlock()
	list, err := a.Supervisor.List(ctx)
	if err != nil {
		return err
	}
	next := map[string]map[string]supervise.Process{}
	for _, p := range list {
		owner := ownerOf(p.ID)
		if next[owner] == nil {
			next[owner] = map[string]supervise.Process{}
		}
		next[owner][p.ID] = p
	}
	ps.mu.Lock()
	defer ps.mu.Unlock()
	for owner, at := range ps.last { // what was done since it was asked is newer than its answer
		if at > asked {
			next[owner] = ps.of[owner]
		}
	}
	was := ps.of
	ps.of = next
	for _, u := range a.all() {
		name := u.name.Dashed()
		// What is posted runs without the lock, and a note made meanwhile writes to next.
		if own := next[name]; was == nil || !sameProcesses(was[name], own) {
			u.post(func() { u.setProcesses(own) })
		}
	}
	return nil
}

// noteProcess takes what the supervisor made of a service of a unit, without
// asking it for all others; the zero process where the service was removed.
func (a *agent) noteProcess(u *unitLoop, service string, p supervise.Process) {
	ps, name := &a.processes, u.name.Dashed()
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if ps.of == nil {
		return // the first listing tells of all
	}
	own := maps.Clone(ps.of[name])
	switch {
	case p.ID == "":
		delete(own, service)
	case own == nil:
		own = map[string]supervise.Process{service: p}
	default:
		own[service] = p
	}
	ps.of[name] = own
	ps.notes++
	ps.last[name] = ps.notes
	u.post(func() { u.setProcesses(own) })
}

// ownerOf is the unit part of a service's name.
func ownerOf(service string) string {
	owner, _, _ := strings.Cut(service, "/")
	return owner
}

func sameProcesses(a, b map[string]supervise.Process) bool {
	if len(a) != len(b) {
		return false
	}
	for id, p := range a {
		q := b[id]
		if p.PID != q.PID || p.State != q.State || p.Restarts != q.Restarts || p.SpecHash != q.SpecHash || p.Reason != q.Reason {
			return false
		}
	}
	return true
}
