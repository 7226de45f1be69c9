package api

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/engine/state/tables"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

// ListTurns returns the turns that are held, and those asked for.
func (s *Service) ListTurns(ctx context.Context, m model.ModelName) ([]operator.Turn, error) {
	if _, err := caller(ctx, Read, m); err != nil {
		return nil, err
	}
	st, err := s.log.Read(ctx)
	if err != nil {
		return nil, err
	}
	list := []operator.Turn{}
	for _, u := range st.ModelUnits(m) {
		held := map[string]bool{}
		for _, t := range st.TurnsOf(u.Ref()) {
			if t.Held {
				held[t.Ask.Name] = true
				list = append(list, operator.Turn{
					Application: u.Name.Application, Unit: u.Name, Name: t.Ask.Name, Token: t.Token, Since: t.Since, Rank: t.Ask.Rank,
				})
			}
		}
		report, _ := s.c.Live.Report(u.Ref())
		for _, ask := range report.Asks {
			if !held[ask.Name] {
				list = append(list, operator.Turn{Application: u.Name.Application, Unit: u.Name, Name: ask.Name, Rank: ask.Rank})
			}
		}
	}
	return list, nil
}

// RevokeTurn takes a turn from a unit; what it still does under it is refused.
func (s *Service) RevokeTurn(ctx context.Context, r operator.RevokeTurn) (operator.Committed, error) {
	who, err := caller(ctx, Write, r.Model)
	if err != nil {
		return operator.Committed{}, err
	}
	if _, err := unitNamed(s.log.State(), r.Model, r.Unit.String()); err != nil {
		return operator.Committed{}, err
	}
	return s.changed(ctx, who, r.Change, state.EndTurn{Model: r.Model, Unit: r.Unit, Turn: r.Turn})
}

// ListTasks returns the claims of application tasks.
func (s *Service) ListTasks(ctx context.Context, m model.ModelName) ([]operator.Task, error) {
	if _, err := caller(ctx, Read, m); err != nil {
		return nil, err
	}
	st, err := s.log.Read(ctx)
	if err != nil {
		return nil, err
	}
	list := []operator.Task{}
	for _, a := range st.Applications(m) {
		for _, c := range st.Claims(a.Ref()) {
			list = append(list, operator.Task{
				Application: c.Application, ID: c.Task, Key: c.Key, Unit: c.Unit, Token: c.Token, State: string(c.State), Deadline: c.Deadline,
			})
		}
	}
	return list, nil
}

// ResolveTask decides the outcome of a task that nobody knows.
func (s *Service) ResolveTask(ctx context.Context, r operator.ResolveTask) (operator.Committed, error) {
	who, err := caller(ctx, Write, r.Model)
	if err != nil {
		return operator.Committed{}, err
	}
	if r.Unit != (model.UnitName{}) {
		return s.resolveOwn(ctx, who, r)
	}
	return s.changed(ctx, who, r.Change, state.ResolveTask{
		Model: r.Model, Application: r.Application, Task: r.Task, TaskKey: r.Key, Done: r.Done,
	})
}

// resolveTime is how long an agent may take to note how a task ended.
const resolveTime = 15 * time.Second

// resolveOwn has a unit's agent note how one of the unit's own tasks ended.
// What is committed is the operation, which waits for an agent that is away.
func (s *Service) resolveOwn(ctx context.Context, who Identity, r operator.ResolveTask) (operator.Committed, error) {
	ref, err := unitNamed(s.log.State(), r.Model, r.Unit.String())
	if err != nil {
		return operator.Committed{}, err
	}
	result, err := s.change(ctx, who, r.Change, state.EnqueueOperation{Model: r.Model, Run: effect.Operation{
		Kind: effect.ResolveOperation, Unit: ref.Unit, Action: r.Task, Params: map[string]any{"done": r.Done},
	}})
	if err != nil {
		return operator.Committed{}, err
	}
	committed := operator.Committed{Index: result.Index, Revision: result.Revision}
	for _, key := range result.Created {
		if key.Table != tables.Operation {
			continue
		}
		waiting, cancel := context.WithTimeout(ctx, resolveTime)
		defer cancel()
		o, err := s.ShowOperation(waiting, r.Model, key.ID, true)
		if err != nil {
			return committed, fmt.Errorf("resolve task %s of %v: its agent has not answered yet: see operation %s: %w", r.Task, r.Unit, key.ID, model.ErrUnavailable)
		}
		if o.Result.Failed != "" {
			return committed, fmt.Errorf("%s: %w", o.Result.Failed, model.ErrConflict)
		}
	}
	return committed, nil
}

// ListOrders returns the orders of a model's applications, closed ones too.
func (s *Service) ListOrders(ctx context.Context, m model.ModelName) ([]operator.Order, error) {
	if _, err := caller(ctx, Read, m); err != nil {
		return nil, err
	}
	st, err := s.log.Read(ctx)
	if err != nil {
		return nil, err
	}
	list := []operator.Order{}
	for _, a := range st.Applications(m) {
		for _, o := range st.Orders(a.Ref()) {
			list = append(list, order(o))
		}
	}
	return list, nil
}

func order(o state.Order) operator.Order {
	out := operator.Order{ID: o.ID, Application: o.Application, Name: o.Name, State: "open", Stage: o.StageName(), Params: o.Params}
	switch {
	case o.Cancelled:
		out.State = "cancelled"
	case o.Closed:
		out.State = "done"
	}
	return out
}

// StartOrder opens a procedure that the charm declares.
func (s *Service) StartOrder(ctx context.Context, r operator.StartOrder) (operator.OrderStarted, error) {
	who, err := caller(ctx, Write, r.Model)
	if err != nil {
		return operator.OrderStarted{}, err
	}
	st := s.log.State()
	app, err := application(st, r.Model, r.Application)
	if err != nil {
		return operator.OrderStarted{}, err
	}
	c, _ := st.CharmOf(app)
	declared, ok := c.Declared.Order(r.Name)
	if !ok {
		var known []string
		for _, o := range c.Declared.Orders {
			known = append(known, o.Name)
		}
		return operator.OrderStarted{}, fmt.Errorf("charm %s has no order %q%s: %w", app.Charm, r.Name, model.DidYouMean(r.Name, known), model.ErrNotFound)
	}
	for _, a := range c.Declared.Actions {
		if a.Order != r.Name {
			continue
		}
		if _, err := a.Params(r.Params); err != nil {
			return operator.OrderStarted{}, err
		}
	}
	id := uuid.NewString()
	start := state.StartOrder{Model: r.Model, Application: r.Application, ID: id, Name: r.Name, Params: r.Params}
	if declared.PointOfNoReturn != "" {
		start.Warrants = s.warrants(st, app)
	}
	result, err := s.change(ctx, who, r.Change, start)
	return operator.OrderStarted{Committed: committed(result), ID: id}, err
}

// warrants let go of the data that an application's units hold now, each by
// its incarnation: whoever starts an order with a point of no return asks for
// that. What is stamped later is not covered.
func (s *Service) warrants(st state.State, a state.Application) (all []effect.Warrant) {
	for _, u := range st.Units(a.Ref()) {
		report, _ := s.c.Live.Report(u.Ref())
		for id, fact := range report.Facts {
			volume, ours := strings.CutPrefix(string(id), effect.VolumeFact)
			incarnation, stamped := strings.CutPrefix(fact.Value, effect.VolumeStamped)
			if w := (effect.Warrant{Volume: effect.ID(volume), Incarnation: incarnation}); ours && stamped && !slices.Contains(all, w) {
				all = append(all, w)
			}
		}
	}
	slices.SortFunc(all, func(a, b effect.Warrant) int {
		return cmp.Or(cmp.Compare(a.Volume, b.Volume), cmp.Compare(a.Incarnation, b.Incarnation))
	})
	return all
}

// CancelOrder closes an order before its point of no return.
func (s *Service) CancelOrder(ctx context.Context, r operator.CancelOrder) (operator.Committed, error) {
	who, err := caller(ctx, Write, r.Model)
	if err != nil {
		return operator.Committed{}, err
	}
	return s.changed(ctx, who, r.Change, state.CancelOrder{Model: r.Model, Application: r.Application, ID: r.ID})
}
