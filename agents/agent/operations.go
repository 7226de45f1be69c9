package agent

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/gantry-orchestrator/gantry/agents/perform"
	"github.com/gantry-orchestrator/gantry/agents/unit"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// defaultOperationTimeout bounds an operation that names no timeout.
const defaultOperationTimeout = 5 * time.Minute

// operate runs an operation to its end and reports how it ended, also when
// the controller is away meanwhile.
func (a *agent) operate(op effect.Operation) {
	a.group.Go(func() error {
		ctx := a.life
		result := a.runOperation(ctx, op)
		for n := 1; ctx.Err() == nil; n++ {
			err := a.Controller.FinishOperation(ctx, result)
			if err == nil {
				return nil
			}
			if model.Class(err) != model.ErrUnavailable && model.Class(err) != nil {
				a.Logger.Warn("the controller refused an operation's result", slog.String("operation", op.ID), slog.Any("error", err))
				return nil
			}
			if pause(ctx, unit.Backoff(n)) != nil {
				return nil
			}
		}
		return nil
	})
}

func (a *agent) runOperation(ctx context.Context, op effect.Operation) effect.OperationResult {
	timeout := op.Timeout
	if timeout <= 0 {
		timeout = defaultOperationTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	result := effect.OperationResult{ID: op.ID}
	var err error
	switch op.Kind {
	case effect.ExecOperation:
		var out perform.Output
		out, err = perform.Command{Argv: op.Command}.Run(ctx)
		result.Code, result.Stdout, result.Stderr = out.Code, out.Stdout, out.Stderr
	case effect.ResolveOperation:
		err = a.resolve(ctx, op)
	case effect.ActionOperation:
		result.Output, err = a.runAction(ctx, op)
	default:
		err = fmt.Errorf("operation kind %q is not known to this agent: %w", op.Kind, model.ErrInvalid)
	}
	if err != nil {
		result.Failed = err.Error()
	}
	return result
}

func (a *agent) runAction(ctx context.Context, op effect.Operation) (map[string]string, error) {
	u, err := a.unit(op.Unit)
	if err != nil {
		return nil, err
	}
	action := effect.Invocation{Name: op.Action, Args: map[string]string{}}
	for name, value := range op.Params {
		action.Args[name] = fmt.Sprint(value)
	}
	var charm effect.Charm
	err = u.call(ctx, func() error {
		action.Input = u.state.Input()
		action.Token = action.Input.Live.Token
		charm = u.state.Journal.Intent.Spec.Charm
		return nil
	})
	if err != nil {
		return nil, err
	}
	return a.Charms.RunAction(ctx, charm, "", action)
}

// resolve takes an operator's word on a task of a unit whose run was cut
// short: params "done" says whether it was done, or is to run again.
func (a *agent) resolve(ctx context.Context, op effect.Operation) error {
	u, err := a.unit(op.Unit)
	if err != nil {
		return err
	}
	done, ok := op.Params["done"].(bool)
	if !ok {
		return fmt.Errorf("resolve task %s: say whether it is done: %w", op.Action, model.ErrInvalid)
	}
	var machines *effect.Task
	err = u.call(ctx, func() error {
		if machines = u.unknownMachineTask(effect.ID(op.Action)); machines != nil {
			return nil
		}
		if !u.state.Journal.Open(effect.ID(op.Action)) {
			return fmt.Errorf("resolve task %s of %v: its outcome is not unknown: %w", op.Action, op.Unit, model.ErrNotFound)
		}
		return u.record(unit.Entry{Resolved: &unit.Resolution{Task: effect.ID(op.Action), Done: done}})
	})
	if err != nil || machines == nil {
		return err
	}
	return a.resolveMachineTask(ctx, *machines, op.Unit, done)
}

func (a *agent) unit(name model.UnitName) (*unitLoop, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if u := a.units[name]; u != nil {
		return u, nil
	}
	return nil, fmt.Errorf("unit %v is not on this machine: %w", name, model.ErrNotFound)
}
