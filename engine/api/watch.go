package api

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

// statusPause bounds how often a watcher is sent a status.
const statusPause = 200 * time.Millisecond

// Watch sends a model's changes after an index, oldest first.
func (s *Service) Watch(ctx context.Context, m model.ModelName, after uint64, send func(operator.Event) error) error {
	if _, err := caller(ctx, Read, m); err != nil {
		return err
	}
	for {
		changes, next, err := s.log.Changes(ctx, after)
		if err != nil {
			return err
		}
		for _, c := range changes {
			e := operator.Event{Index: c.Index, Revision: c.Revision, Author: c.Author, Reason: c.Reason}
			for _, k := range c.Keys {
				if k.Model == m {
					e.Keys = append(e.Keys, k.String())
				}
			}
			if len(e.Keys) == 0 {
				continue
			}
			if err := send(e); err != nil {
				return err
			}
		}
		after = next
	}
}

// WatchStatus sends a model's status once its index is past after, and again
// after every change.
func (s *Service) WatchStatus(ctx context.Context, m model.ModelName, after uint64, send func(operator.Status) error) error {
	if _, err := caller(ctx, Read, m); err != nil {
		return err
	}
	var last operator.Status
	return s.watch(ctx, func(st state.State) (bool, error) {
		status, err := s.status(st, m)
		if err != nil || st.Index() <= after {
			return false, err
		}
		now := status.Model.Now
		status.Model.Now, last.Model.Index = time.Time{}, status.Model.Index
		if reflect.DeepEqual(status, last) {
			return false, nil
		}
		last = status
		status.Model.Now = now
		return false, send(status)
	})
}

// Wait sends progress until a model has converged at a revision, or until
// waiting longer does not help.
func (s *Service) Wait(ctx context.Context, m model.ModelName, revision uint64, send func(operator.Progress) error) error {
	if _, err := caller(ctx, Read, m); err != nil {
		return err
	}
	st, err := s.log.Read(ctx)
	if err != nil {
		return err
	}
	if revision == 0 {
		revision = st.Revision()
	}
	if revision > st.Revision() {
		return fmt.Errorf("revision %d: the newest is %d: %w", revision, st.Revision(), model.ErrNotFound)
	}
	began := s.c.Now()
	var last operator.Progress
	return s.watch(ctx, func(st state.State) (bool, error) {
		if _, err := modelOf(st, m); err != nil {
			return false, err
		}
		p := s.progress(st, m, revision)
		end := p.Converged || len(p.Blocked) > 0
		p.Elapsed = s.c.Now().Sub(began)
		same := slices.Equal(p.Waiting, last.Waiting) && slices.Equal(p.Doing, last.Doing)
		if last.Index != 0 && same && !end {
			return false, nil
		}
		last = p
		return end, send(p)
	})
}

func (s *Service) progress(st state.State, m model.ModelName, revision uint64) operator.Progress {
	c := s.c.Live.Convergence(st, m, revision)
	p := operator.Progress{
		Index: st.Index(), Revision: revision, Converged: c.Converged, Waiting: c.Waiting, Blocked: c.Blocked,
	}
	for _, u := range st.ModelUnits(m) {
		report, _ := s.c.Live.Report(u.Ref())
		for _, doing := range report.Doing {
			p.Doing = append(p.Doing, u.Name.String()+": "+doing)
		}
	}
	return p
}

// watch calls look with the state now and after every change of it, or of what
// agents report, until look says that it is done. Changes that come in a burst
// are looked at once.
func (s *Service) watch(ctx context.Context, look func(state.State) (done bool, err error)) error {
	for {
		live := s.c.Live.Changed()
		st := s.log.State()
		if done, err := look(st); done || err != nil {
			return err
		}
		if err := s.next(ctx, st.Index(), live); err != nil {
			return err
		}
		if err := rest(ctx, statusPause); err != nil {
			return err
		}
	}
}

// next waits for an entry past an index, or for live.
func (s *Service) next(ctx context.Context, index uint64, live <-chan struct{}) error {
	select {
	case <-live:
		return nil
	case <-s.log.Advanced(index):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
