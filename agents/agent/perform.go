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

// perform carries a step out: what undoes it is journaled, it is done, it is
// journaled, and the host is looked at again.
func (u *unitLoop) perform(ctx context.Context, p unit.Perform) error {
	select {
	case u.agent.slots <- struct{}{}:
		defer func() { <-u.agent.slots }()
	case <-ctx.Done():
		return ctx.Err()
	}
	began := time.Now()
	ended, err := u.step(ctx, p)
	if err != nil {
		return fmt.Errorf("%s: %w", p.Step.Name(), err)
	}
	u.log.Info("step done", slog.String("step", p.Step.Name()), slog.String("why", p.Step.Why), slog.Duration("took", time.Since(began)))
	var want effect.Desired
	err = u.call(ctx, func() error {
		delete(u.state.Answer.Confirmed, p.Key())
		want = u.state.Answer.Desired
		u.steps++
		clear(u.state.Read)
		if p.Step.Kind == effect.Run {
			for id, value := range p.Step.Effect.Task.Yields { // as it was just read
				u.refresh(id, unit.Reading{Value: value})
			}
		}
		u.made(ended)
		return u.record(unit.Entry{Done: &ended})
	})
	if t := p.Step.Effect.Task; err == nil && t != nil && t.Scope != effect.MachineScope {
		err = u.outcome(*t).Clear()
	}
	if err != nil {
		return err
	}
	seen, looked, err := u.look(ctx, want)
	if err != nil {
		return err
	}
	return u.call(ctx, func() error {
		u.take(seen, looked)
		u.wakeProbes()
		return nil
	})
}

// step does what the step says.
func (u *unitLoop) step(ctx context.Context, p unit.Perform) (unit.Ended, error) {
	s := p.Step
	switch {
	case s.Kind == effect.Update || s.Kind == effect.Conclude:
		return u.conclude(ctx, s)
	case s.Effect.Service != nil:
		return unit.Ended{Step: s}, u.serve(ctx, s)
	case s.Effect.Task != nil:
		return u.runTask(ctx, p)
	}
	m, err := u.machine(ctx)
	if err != nil {
		return unit.Ended{}, err
	}
	if s.Effect.Package != nil || s.Effect.Software != nil {
		u.agent.apt.Lock()
		defer u.agent.apt.Unlock()
	}
	former, err := u.begin(ctx, m, s)
	if err != nil {
		return unit.Ended{}, err
	}
	result, err := m.Do(ctx, s, former)
	return unit.Ended{Step: s, Digest: result.Digest, Left: result.Left}, err
}

// begin returns what undoes an effect: from the journal, or, before it is
// performed for the first time, from the host into the journal.
func (u *unitLoop) begin(ctx context.Context, m perform.Machine, s effect.Step) (former string, err error) {
	var known bool
	err = u.call(ctx, func() error {
		former, known = u.state.Journal.Former(s)
		return nil
	})
	if err != nil || known || s.Undoes() {
		return former, err
	}
	if former, err = m.Former(ctx, s); err != nil {
		return "", err
	}
	return former, u.call(ctx, func() error { return u.record(unit.Entry{Begun: &unit.Begun{Step: s, Former: former}}) })
}

// runTask runs a task, or undoes it. Its outcome is journaled with it.
func (u *unitLoop) runTask(ctx context.Context, p unit.Perform) (unit.Ended, error) {
	if p.Step.Effect.Task.Scope == effect.MachineScope {
		return u.machineTask(ctx, p)
	}
	return u.runOwnTask(ctx, p)
}

// runOwnTask runs a task that no other unit of the machine is at.
func (u *unitLoop) runOwnTask(ctx context.Context, p unit.Perform) (unit.Ended, error) {
	t := *p.Step.Effect.Task
	ctx, cancel := context.WithTimeout(ctx, perform.TaskTimeout(t))
	defer cancel()
	keep := u.outcome(t)
	if err := keep.Clear(); err != nil {
		return unit.Ended{}, err
	}
	caller, probes, err := u.openTask(ctx, p)
	if err != nil {
		return unit.Ended{}, err
	}
	if p.Step.Kind == effect.Undo {
		_, err := perform.RunExec(ctx, u.secrets, caller, *t.Undo, p.Token)
		return unit.Ended{Step: p.Step}, err
	}
	caller.keep = &keep
	result, err := perform.RunTask(ctx, u.secrets, caller, t.Run, p.Token, keep)
	caller.keep = nil
	if err == nil {
		err = perform.AwaitYields(ctx, u.secrets, caller, t.Yields, probes)
	}
	if err != nil {
		return unit.Ended{}, u.taskFailed(ctx, p, err)
	}
	return endedWith(p.Step, p.Token, result), u.stillLeads(ctx, p)
}

// openTask journals that the run begins. From here on a crash leaves its
// outcome unknown.
func (u *unitLoop) openTask(ctx context.Context, p unit.Perform) (caller call, probes []effect.Probe, err error) {
	err = u.call(ctx, func() error {
		u.secrets.know(u.state.Journal.Intent.Spec)
		caller = call{charms: u.agent.Charms, charm: u.state.Journal.Intent.Spec.Charm, input: u.state.Input()}
		probes = u.state.Answer.Desired.Probes
		if p.Step.Kind == effect.Undo {
			return nil
		}
		if p.Token != 0 && !u.state.Leads() {
			return fmt.Errorf("leadership has ended: %w", model.ErrUnavailable)
		}
		return u.record(unit.Entry{Opened: &p.Step})
	})
	return caller, probes, err
}

// stillLeads refuses the result of a task whose claim was lost meanwhile. It
// is left open, as after a crash.
func (u *unitLoop) stillLeads(ctx context.Context, p unit.Perform) error {
	if p.Token == 0 {
		return nil
	}
	return u.call(ctx, func() error {
		if !u.state.Leads() {
			return fmt.Errorf("leadership ended while it ran: %w", model.ErrUnavailable)
		}
		return nil
	})
}

// taskFailed has the claim of a failed task closed, if the task may simply run
// again. Otherwise the claim stays open until an operator says what came of it.
func (u *unitLoop) taskFailed(ctx context.Context, p unit.Perform, cause error) error {
	if p.Token == 0 || !p.Step.Effect.Task.Idempotent || context.Cause(ctx) == context.Canceled {
		return cause
	}
	o := unit.Outcome{Task: *p.Step.Effect.Task, Token: p.Token, Failed: cause.Error()}
	if err := u.call(context.WithoutCancel(ctx), func() error { return u.record(unit.Entry{Failed: &o}) }); err != nil {
		return fmt.Errorf("%w (and %w)", cause, err)
	}
	return cause
}

// call runs a charm's calls for one unit.
type call struct {
	charms Charms
	charm  effect.Charm
	input  effect.Input
	keep   *perform.Outcome // nil: the call's process leaves none
}

// Call implements perform.Caller.
func (c call) Call(ctx context.Context, name string, args map[string]string, user string, token uint64) (string, error) {
	inv := effect.Invocation{Name: name, Args: args, Token: token, Input: c.input}
	if k, keeps := c.charms.(KeepingCharms); keeps && c.keep != nil {
		return k.CallKept(ctx, c.charm, user, inv, c.keep.Output)
	}
	return c.charms.Call(ctx, c.charm, user, inv)
}
