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

// operate runs an operation, at most once, and reports how it ended, also when
// the controller is away meanwhile. A new session is sent what runs already.
func (a *agent) operate(op effect.Operation) {
	file, err := a.Dirs.operation(op)
	if err != nil {
		a.Logger.Warn("cannot take an operation", slog.Any("error", err))
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.operating[file] {
		return
	}
	a.operating[file] = true
	a.group.Go(func() error {
		a.carryOut(a.life, op, file)
		a.mu.Lock()
		defer a.mu.Unlock()
		delete(a.operating, file)
		return nil
	})
}

// carryOut journals that the operation begins, runs it, and says how it ended
// until a controller has heard. The result of one that ends with the agent is
// not known: the next agent finds it begun, and says so.
func (a *agent) carryOut(ctx context.Context, op effect.Operation, file operationFile) {
	result := effect.OperationResult{ID: op.ID}
	before, err := file.begin(op.ID)
	switch {
	case err != nil:
		result.Failed = err.Error()
	case before != nil:
		result = *before
	default:
		result = a.runOperation(ctx, op)
		if ctx.Err() != nil {
			return
		}
		err = file.finish(result)
	}
	if err != nil {
		a.Logger.Warn("cannot journal an operation", slog.String("operation", op.ID), slog.Any("error", err))
	}
	if a.tellResult(ctx, result) && err == nil {
		if err := file.settle(); err != nil {
			a.Logger.Warn("cannot tidy the journal of operations", slog.Any("error", err))
		}
	}
}

// tellResult sends a result until a controller has taken or refused it.
func (a *agent) tellResult(ctx context.Context, r effect.OperationResult) bool {
	for n := 1; ctx.Err() == nil; n++ {
		err := a.Controller.FinishOperation(ctx, r)
		if err == nil {
			return true
		}
		if model.Class(err) != model.ErrUnavailable && model.Class(err) != nil {
			a.Logger.Warn("the controller refused an operation's result", slog.String("operation", r.ID), slog.Any("error", err))
			return true
		}
		if pause(ctx, unit.Backoff(n)) != nil {
			return false
		}
	}
	return false
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
		result.Code, result.Stdout, result.Stderr, result.Truncated = out.Code, out.Stdout, out.Stderr, out.Truncated()
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
