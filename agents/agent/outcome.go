package agent

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"

	"github.com/gantry-orchestrator/gantry/agents/perform"
	"github.com/gantry-orchestrator/gantry/agents/unit"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// outcome is where a run of the task leaves what came of it.
func (u *unitLoop) outcome(t effect.Task) perform.Outcome {
	dir := u.agent.Dirs.outcomes(u.name)
	if t.Scope == effect.MachineScope {
		dir = u.agent.Dirs.machineOutcomes()
	}
	sum := sha256.Sum256([]byte(string(t.Scope) + "\n" + string(t.ID) + "\n" + t.Key))
	return perform.Outcome{Dir: filepath.Join(dir, hex.EncodeToString(sum[:16]))}
}

// endedWith is a task's end, with the result that is to be committed.
func endedWith(s effect.Step, token uint64, result string) unit.Ended {
	t := *s.Effect.Task
	ended := unit.Ended{Step: s}
	if t.Scope == effect.ApplicationScope || t.Result != effect.NoResult {
		ended.Outcome = &unit.Outcome{Task: t, Token: token, Result: result}
	}
	return ended
}

// recover looks for what came of the runs that the journal has as begun: they
// may have ended, or go on, after the agent before died. Until that is known
// they count as running. A run that left nothing stays as it was cut short.
// Only the loop calls it, before it asks what to do next.
func (u *unitLoop) recover(ctx context.Context) {
	for _, a := range u.state.Journal.Applied {
		if !a.Open || a.Effect.Task == nil {
			continue
		}
		p := unit.Perform{Step: effect.Step{Kind: effect.Run, ID: a.Effect.ID(), Effect: a.Effect}}
		u.state.Running[p.Key()] = p
		u.group.Go(func() error {
			ended, known, err := u.found(ctx, p.Step)
			u.post(func() {
				delete(u.state.Running, p.Key())
				switch {
				case ctx.Err() != nil:
				case err != nil:
					u.log.Warn("what came of a task that was cut short cannot be read", slog.String("task", string(p.Step.ID)), slog.Any("error", err))
				case known && len(p.Step.Effect.Task.Yields) == 0: // else its outcome is looked at first
					u.log.Info("a task ended while no agent ran", slog.String("task", string(p.Step.ID)))
					u.fail(u.noteIfMachines(ended))
					u.fail(u.record(unit.Entry{Done: &ended}))
				}
			})
			return nil
		})
	}
}

// found is what a run left that ended well, once it has ended.
func (u *unitLoop) found(ctx context.Context, s effect.Step) (ended unit.Ended, known bool, err error) {
	if t := *s.Effect.Task; t.Scope == effect.MachineScope {
		if was, begun := u.agent.tasks.look(machineKey(t)); begun && was.Done {
			return endedWith(s, 0, was.Result), true, nil
		}
	}
	code, output, left, err := u.outcome(*s.Effect.Task).Await(ctx)
	if err != nil || !left || code != 0 {
		return unit.Ended{}, false, err
	}
	result := strings.TrimSpace(output)
	if s.Effect.Task.Run.Call != "" {
		k, keeps := u.agent.Charms.(KeepingCharms)
		if !keeps {
			return unit.Ended{}, false, fmt.Errorf("calls leave no outcome here: %w", model.ErrInvalid)
		}
		if result, err = k.CallResult([]byte(output)); err != nil {
			return unit.Ended{}, false, err
		}
	}
	return endedWith(s, 0, result), true, nil
}

// conclude ends a task that was found done after a crash: with its result, if
// its run left that; else what it returned is lost with the process.
func (u *unitLoop) conclude(ctx context.Context, s effect.Step) (unit.Ended, error) {
	if s.Kind != effect.Conclude {
		return unit.Ended{Step: s}, nil
	}
	ended, known, err := u.found(ctx, s)
	if ctx.Err() != nil {
		return unit.Ended{}, err
	}
	if !known {
		ended = unit.Ended{Step: s}
		if s.Effect.Task.Scope == effect.ApplicationScope {
			ended.Outcome = &unit.Outcome{Task: *s.Effect.Task}
		}
	}
	return ended, u.noteIfMachines(ended)
}
