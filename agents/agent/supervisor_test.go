package agent_test

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/gantry-orchestrator/gantry/agents/supervise"
	"github.com/gantry-orchestrator/gantry/model"
)

// supervisor is a supervisor in memory; its processes are numbers.
type supervisor struct {
	mu        sync.Mutex
	pid       int
	processes map[string]supervise.Process
	calls     []string
	listed    int
}

func newSupervisor() *supervisor {
	return &supervisor{pid: 1000, processes: map[string]supervise.Process{}}
}

func (s *supervisor) note(call, id string) { s.calls = append(s.calls, call+" "+id) }

// did returns the calls since it was last asked.
func (s *supervisor) did() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	calls := s.calls
	s.calls = nil
	return calls
}

func (s *supervisor) process(id string) supervise.Process {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.processes[id]
}

// crash ends a process as a kill -9 of it would; it is started again.
func (s *supervisor) crash(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.processes[id]
	s.pid++
	p.PID, p.Restarts, p.Since = s.pid, p.Restarts+1, time.Now()
	s.processes[id] = p
}

func (s *supervisor) Start(_ context.Context, spec supervise.Spec) (supervise.Process, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.processes[spec.ID]; p.State == supervise.Running {
		if p.SpecHash != spec.Hash() {
			return p, fmt.Errorf("another spec: %w", model.ErrConflict)
		}
		return p, nil
	}
	s.note("start", spec.ID)
	return s.run(spec), nil
}

func (s *supervisor) run(spec supervise.Spec) supervise.Process {
	s.pid++
	p := supervise.Process{ID: spec.ID, PID: s.pid, State: supervise.Running, SpecHash: spec.Hash(), Since: time.Now(), Restarts: s.processes[spec.ID].Restarts}
	s.processes[spec.ID] = p
	return p
}

func (s *supervisor) Restart(_ context.Context, spec supervise.Spec) (supervise.Process, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.note("restart", spec.ID)
	return s.run(spec), nil
}

func (s *supervisor) Reload(_ context.Context, id string) (supervise.Process, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.note("reload", id)
	return s.processes[id], nil
}

func (s *supervisor) Stop(_ context.Context, id string) (supervise.Process, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, ok := s.processes[id]
	if !ok {
		return p, fmt.Errorf("no service %s: %w", id, model.ErrNotFound)
	}
	s.note("stop", id)
	p.PID, p.State = 0, supervise.Stopped
	s.processes[id] = p
	return p, nil
}

func (s *supervisor) Remove(_ context.Context, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.note("remove", id)
	delete(s.processes, id)
	return nil
}

func (s *supervisor) Renew(_ context.Context, id string, lease time.Time) (supervise.Process, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.processes[id]
	p.Lease = lease
	s.processes[id] = p
	return p, nil
}

func (s *supervisor) List(context.Context) ([]supervise.Process, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listed++
	var all []supervise.Process
	for _, p := range s.processes {
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b supervise.Process) int { return a.PID - b.PID })
	return all, nil
}

// Watch tells of nothing: the agent must not depend on it.
func (s *supervisor) Watch(ctx context.Context) iter.Seq2[supervise.Event, error] {
	return func(yield func(supervise.Event, error) bool) {
		<-ctx.Done()
		yield(supervise.Event{}, ctx.Err())
	}
}
