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
	a.mu.Lock()
	u := a.units[op.Unit]
	a.mu.Unlock()
	if u == nil {
		return nil, fmt.Errorf("run action %s: unit %v is not on this machine: %w", op.Action, op.Unit, model.ErrNotFound)
	}
	action := effect.Invocation{Name: op.Action, Args: map[string]string{}}
	for name, value := range op.Params {
		action.Args[name] = fmt.Sprint(value)
	}
	var charm effect.Charm
	err := u.call(ctx, func() error {
		action.Input = u.state.Input()
		action.Token = action.Input.Live.Token
		charm = u.state.Journal.Intent.Spec.Charm
		return nil
	})
	if err != nil {
		return nil, err
	}
	return a.Charms.RunAction(ctx, charm, action)
}
