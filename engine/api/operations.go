package api

import (
	"context"
	"fmt"
	"strings"

	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/engine/state/tables"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/charm"
	"github.com/gantry-orchestrator/gantry/model/effect"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

// Run asks units to run an action.
func (s *Service) Run(ctx context.Context, r operator.Run) ([]operator.Operation, error) {
	who, err := caller(ctx, Write, r.Model)
	if err != nil {
		return nil, err
	}
	st := s.log.State()
	var ops []state.Op
	for _, text := range r.Units {
		unit, err := unitNamed(st, r.Model, text)
		if err != nil {
			return nil, err
		}
		declared, err := declaredAction(st, unit, r.Action)
		if err != nil {
			return nil, err
		}
		if err := declared.Check(r.Params); err != nil {
			return nil, err
		}
		ops = append(ops, state.EnqueueOperation{Model: r.Model, Run: effect.Operation{
			Kind: effect.ActionOperation, Unit: unit.Unit, Action: r.Action, Params: r.Params, Timeout: r.Timeout,
		}})
	}
	return s.enqueue(ctx, who, r.Change, r.Model, ops)
}

// Exec asks units or machines to run a command.
func (s *Service) Exec(ctx context.Context, r operator.Exec) ([]operator.Operation, error) {
	who, err := caller(ctx, Admin, r.Model)
	if err != nil {
		return nil, err
	}
	if len(r.Command) == 0 {
		return nil, fmt.Errorf("exec: no command: %w", model.ErrInvalid)
	}
	st := s.log.State()
	var ops []state.Op
	for _, text := range r.Units {
		unit, err := unitNamed(st, r.Model, text)
		if err != nil {
			return nil, err
		}
		ops = append(ops, state.EnqueueOperation{Model: r.Model, Run: effect.Operation{
			Kind: effect.ExecOperation, Unit: unit.Unit, Command: r.Command, Timeout: r.Timeout,
		}})
	}
	for _, m := range r.Machines {
		if _, ok := st.Machine(state.MachineRef{Model: r.Model, Machine: m}); !ok {
			return nil, fmt.Errorf("machine %s in model %s: %w", m, r.Model, model.ErrNotFound)
		}
		ops = append(ops, state.EnqueueOperation{Model: r.Model, Run: effect.Operation{
			Kind: effect.ExecOperation, Machine: m, Command: r.Command, Timeout: r.Timeout,
		}})
	}
	return s.enqueue(ctx, who, r.Change, r.Model, ops)
}

func (s *Service) enqueue(ctx context.Context, who Identity, c operator.Change, m model.ModelName, ops []state.Op) ([]operator.Operation, error) {
	if len(ops) == 0 {
		return nil, fmt.Errorf("run: name a unit or a machine: %w", model.ErrInvalid)
	}
	result, err := s.change(ctx, who, c, ops...)
	if err != nil {
		return nil, err
	}
	st := s.log.State()
	var list []operator.Operation
	for _, key := range result.Created {
		if o, ok := st.Operation(m, key.ID); ok && key.Table == tables.Operation {
			list = append(list, operation(o))
		}
	}
	return list, nil
}

// unitNamed finds "app/n", or the leader by "app/leader".
func unitNamed(st state.State, m model.ModelName, text string) (state.UnitRef, error) {
	if name, ok := strings.CutSuffix(text, "/leader"); ok {
		app, err := application(st, m, model.ApplicationName(name))
		if err != nil {
			return state.UnitRef{}, err
		}
		lease, ok := st.Lease(app.Ref())
		if !ok {
			return state.UnitRef{}, fmt.Errorf("%s has no leader yet: name a unit: %w", name, model.ErrUnavailable)
		}
		return state.UnitRef{Model: m, Unit: lease.Holder}, nil
	}
	name, err := model.ParseUnitName(text)
	if err != nil {
		return state.UnitRef{}, err
	}
	ref := state.UnitRef{Model: m, Unit: name}
	if u, ok := st.Unit(ref); !ok || u.Life == model.Dead {
		return ref, fmt.Errorf("unit %s in model %s: %w", name, m, model.ErrNotFound)
	}
	return ref, nil
}

func declaredAction(st state.State, u state.UnitRef, action string) (charm.Action, error) {
	app, err := application(st, u.Model, u.Unit.Application)
	if err != nil {
		return charm.Action{}, err
	}
	c, _ := st.CharmOf(app)
	declared, ok := c.Declared.Action(action)
	if ok && declared.Kind == charm.Start {
		return declared, fmt.Errorf("action %s of %s opens an order: use gantry order start: %w", action, app.Charm, model.ErrInvalid)
	}
	if ok {
		return declared, nil
	}
	var known []string
	for _, a := range c.Declared.Actions {
		known = append(known, a.Name)
	}
	return declared, fmt.Errorf("charm %s has no action %q%s: %w", app.Charm, action, model.DidYouMean(action, known), model.ErrNotFound)
}

// ListOperations returns a model's operations, oldest first.
func (s *Service) ListOperations(ctx context.Context, m model.ModelName) ([]operator.Operation, error) {
	if _, err := caller(ctx, Read, m); err != nil {
		return nil, err
	}
	st, err := s.log.Read(ctx)
	if err != nil {
		return nil, err
	}
	list := []operator.Operation{}
	for _, o := range st.Operations(m) {
		list = append(list, operation(o))
	}
	return list, nil
}

// ShowOperation returns one operation, when it has ended if wait.
func (s *Service) ShowOperation(ctx context.Context, m model.ModelName, id string, wait bool) (operator.Operation, error) {
	if _, err := caller(ctx, Read, m); err != nil {
		return operator.Operation{}, err
	}
	st, err := s.log.Read(ctx)
	for {
		if err != nil {
			return operator.Operation{}, err
		}
		o, ok := st.Operation(m, id)
		if !ok {
			return operator.Operation{}, fmt.Errorf("operation %s in model %s: %w", id, m, model.ErrNotFound)
		}
		if !wait || o.Result != nil {
			return operation(o), nil
		}
		_, _, err = s.log.Changes(ctx, st.Index())
		st = s.log.State()
	}
}

func operation(o state.Operation) operator.Operation {
	out := operator.Operation{
		ID: o.Run.ID, Kind: o.Run.Kind, Unit: o.Run.Unit, Machine: o.Run.Machine, Action: o.Run.Action, Params: o.Run.Params,
		Command: o.Run.Command, Author: o.Author, State: "pending", Asked: o.Asked, Ended: o.Ended, Result: o.Result,
	}
	switch {
	case o.Result == nil:
	case o.Result.Failed != "":
		out.State = "failed"
	default:
		out.State = "done"
	}
	return out
}
