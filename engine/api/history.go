package api

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/engine/state/tables"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

// followEvery is how often who follows events looks, beside being told: another
// controller may have written them.
const followEvery = time.Second

// recordedTries is how often a revision's status is looked for that is not
// recorded yet: a little longer than two looks at how a model fares are apart.
const recordedTries = 3

// History is what is kept of the past. It may lag behind the model.
type History interface {
	Past(ctx context.Context, q operator.HistoryQuery) (operator.Past, error)
	Events(ctx context.Context, q operator.HistoryQuery) ([]operator.PastEvent, error)
	// Written is closed once this controller has written more.
	Written() <-chan struct{}
	Statuses(ctx context.Context, q operator.HistoryQuery) ([]operator.StatusEntry, error)
	StatusAt(ctx context.Context, m model.ModelName, at operator.Moment) (operator.PastStatus, error)
	Lines(ctx context.Context, q operator.LineQuery) (operator.PastLines, error)
}

// HistoryViews are the history's views in SQL, and what is kept.
type HistoryViews interface {
	Query(ctx context.Context, s operator.Statement) (operator.ResultSet, error)
	Retention(ctx context.Context) (operator.Retention, error)
	SetRetention(ctx context.Context, r operator.Retention) error
}

// past is the history for who may read a model.
func (s *Service) past(ctx context.Context, m model.ModelName) (History, error) {
	if _, err := caller(ctx, Read, m); err != nil {
		return nil, err
	}
	if s.c.History == nil {
		return nil, errNoHistory
	}
	return s.c.History, nil
}

var errNoHistory = fmt.Errorf("this controller keeps no history: %w", model.ErrUnavailable)

// entity makes what an operator calls a thing the name that the history has
// it under: "postgresql/0" is "unit/postgresql/0". What is gone has one too.
func (s *Service) entity(m model.ModelName, name string) (string, error) {
	if name == "" || slices.ContainsFunc([]string{"unit/", "application/", "machine/", "relation/"}, func(kind string) bool {
		return strings.HasPrefix(name, kind)
	}) {
		return name, nil
	}
	if strings.Contains(name, "/") {
		u, err := model.ParseUnitName(name)
		return string(tables.Unit) + "/" + u.String(), err
	}
	if machine, err := model.ParseMachineName(name); err == nil {
		return string(tables.Machine) + "/" + string(machine), nil
	}
	app, err := model.ParseApplicationName(name)
	if err != nil {
		return "", fmt.Errorf("%q in model %s: expected a unit such as postgresql/0, an application or a machine's number: %w", name, m, model.ErrInvalid)
	}
	return string(tables.Application) + "/" + string(app), nil
}

// ListHistory returns what happened to a model, or to one entity of it.
func (s *Service) ListHistory(ctx context.Context, q operator.HistoryQuery) (operator.Past, error) {
	h, err := s.past(ctx, q.Model)
	if err != nil {
		return operator.Past{}, err
	}
	if q.Entity, err = s.entity(q.Model, q.Entity); err != nil {
		return operator.Past{}, err
	}
	return h.Past(ctx, q)
}

// ListEvents sends a model's changes, oldest first.
func (s *Service) ListEvents(ctx context.Context, q operator.HistoryQuery, send func([]operator.PastEvent) error) error {
	h, err := s.past(ctx, q.Model)
	if err != nil {
		return err
	}
	if q.Entity, err = s.entity(q.Model, q.Entity); err != nil {
		return err
	}
	for first := true; ; first = false {
		written := h.Written()
		list, err := h.Events(ctx, q)
		if err != nil && (first || ctx.Err() != nil) {
			return err // later it is only the history that has no leader for now
		}
		if len(list) > 0 {
			q.After, q.Since, q.Limit = list[len(list)-1].Index, time.Time{}, 0
		}
		if len(list) > 0 || first && !q.Follow {
			if err := send(list); err != nil {
				return err
			}
		}
		if !q.Follow {
			return nil
		}
		if err := pause(ctx, written); err != nil {
			return err
		}
	}
}

// pause waits until there may be more.
func pause(ctx context.Context, written <-chan struct{}) error {
	t := time.NewTimer(followEvery)
	defer t.Stop()
	select {
	case <-written:
		return nil
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// StatusLog returns how an entity fared.
func (s *Service) StatusLog(ctx context.Context, q operator.HistoryQuery) ([]operator.StatusEntry, error) {
	h, err := s.past(ctx, q.Model)
	if err != nil {
		return nil, err
	}
	if q.Entity, err = s.entity(q.Model, q.Entity); err != nil {
		return nil, err
	}
	return h.Statuses(ctx, q)
}

// StatusAt returns a model's status as it was.
func (s *Service) StatusAt(ctx context.Context, m model.ModelName, at operator.Moment) (operator.PastStatus, error) {
	h, err := s.past(ctx, m)
	if err != nil {
		return operator.PastStatus{}, err
	}
	if now := s.log.State().Revision(); at.Revision > now {
		return operator.PastStatus{}, fmt.Errorf("revision %d: the newest is %d: %w", at.Revision, now, model.ErrNotFound)
	}
	if at.Time.IsZero() == (at.Revision == 0) {
		return operator.PastStatus{}, fmt.Errorf("status: name a time or a revision: %w", model.ErrInvalid)
	}
	for tries := 1; ; tries++ {
		written := h.Written()
		past, err := h.StatusAt(ctx, m, at)
		if !errors.Is(err, model.ErrUnavailable) || at.Revision == 0 || tries == recordedTries {
			return past, err
		}
		if err := pause(ctx, written); err != nil { // the newest revision may not be recorded yet
			return operator.PastStatus{}, err
		}
	}
}

// ListLines returns lines that agents and services wrote. A machine's are
// those of its units too.
func (s *Service) ListLines(ctx context.Context, q operator.LineQuery) (operator.PastLines, error) {
	h, err := s.past(ctx, q.Model)
	if err != nil {
		return operator.PastLines{}, err
	}
	for i, name := range q.Machines {
		m, ok := s.log.State().Machine(state.MachineRef{Model: q.Model, Machine: model.MachineName(name)})
		if !ok {
			return operator.PastLines{}, fmt.Errorf("machine %s in model %s: %w", name, q.Model, model.ErrNotFound)
		}
		q.Machines[i] = m.UUID
	}
	return h.Lines(ctx, q)
}

// Query runs a SELECT on the history's views: of one model, or of all.
func (s *Service) Query(ctx context.Context, q operator.Statement) (operator.ResultSet, error) {
	access := Admin
	if q.Model == "" {
		access = Superuser
	}
	if _, err := caller(ctx, access, q.Model); err != nil {
		return operator.ResultSet{}, err
	}
	if s.c.HistoryViews == nil {
		return operator.ResultSet{}, errNoHistory
	}
	return s.c.HistoryViews.Query(ctx, q)
}

// ShowRetention returns how long and how much history is kept.
func (s *Service) ShowRetention(ctx context.Context) (operator.Retention, error) {
	if _, err := caller(ctx, Login, ""); err != nil {
		return operator.Retention{}, err
	}
	if s.c.HistoryViews == nil {
		return operator.Retention{}, errNoHistory
	}
	return s.c.HistoryViews.Retention(ctx)
}

// SetRetention decides how long and how much history is kept.
func (s *Service) SetRetention(ctx context.Context, r operator.Retention) (operator.Retention, error) {
	if _, err := caller(ctx, Superuser, ""); err != nil {
		return operator.Retention{}, err
	}
	if s.c.HistoryViews == nil {
		return operator.Retention{}, errNoHistory
	}
	if err := s.c.HistoryViews.SetRetention(ctx, r); err != nil {
		return operator.Retention{}, err
	}
	return s.c.HistoryViews.Retention(ctx)
}

// Recorded is a model's status for the history. It is no request: nobody is
// asked whether they may.
func (s *Service) Recorded(st state.State, m model.ModelName) (operator.Status, error) {
	return s.status(st, m)
}
