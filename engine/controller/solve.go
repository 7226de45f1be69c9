package controller

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/gantry-orchestrator/gantry/engine/consensus"
	"github.com/gantry-orchestrator/gantry/engine/controller/live"
	"github.com/gantry-orchestrator/gantry/engine/observe/metrics"
	"github.com/gantry-orchestrator/gantry/engine/observe/trace"
	"github.com/gantry-orchestrator/gantry/engine/solver"
	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/model"
)

// listen is how often agents that fell silent are looked for.
const listen = time.Second

// maxConflicts is after how many rounds in a row that were all in conflict the
// solver waits for something to happen.
const maxConflicts = 16

// loop solves what changed, while this controller leads.
type loop struct {
	node *consensus.Node
	live *live.Live
	log  *slog.Logger
	// meter counts rounds.
	meter  *metrics.Metrics
	tracer *trace.Tracer
	causes map[uint64]bool // revisions whose consequences the next round looks at
}

// run is woken by entries of the log, by reports and by silence.
func (l *loop) run(ctx context.Context) error {
	tick := time.NewTicker(listen)
	defer tick.Stop()
	cursor, dirty, conflicts := l.node.State().Index(), solver.Everything(), 0
	for {
		heard, st := l.live.Changed(), l.node.State()
		dirty.Merge(l.live.Dirty(st))
		began := time.Now()
		left, err := l.solve(ctx, st, dirty, cursor)
		if err != nil {
			return err
		}
		if dirty = left; dirty.Empty() {
			conflicts = 0
		} else if conflicts++; conflicts < maxConflicts {
			// What it was made from has changed: solve it again at once.
			if cursor, dirty, err = l.pull(ctx, cursor, dirty); err != nil {
				return err
			}
			continue
		}
		select {
		case <-l.node.Advanced(cursor):
			if cursor, dirty, err = l.pull(ctx, cursor, dirty); err != nil {
				return err
			}
		case <-heard:
			l.gather(ctx, cursor, min(gathered*time.Since(began), listen))
		case <-tick.C:
			conflicts = 0
		case <-ctx.Done():
			return nil
		}
	}
}

// gathered is how many times as long as the last round took more is heard
// before another.
const gathered = 4

// gather lets more be heard: while thousands report, one round is for many of
// them, and rounds leave time for all else. What is committed does not wait.
func (l *loop) gather(ctx context.Context, cursor uint64, took time.Duration) {
	timer := time.NewTimer(took)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-l.node.Advanced(cursor):
	case <-ctx.Done():
	}
}

// pull adds what was committed since the cursor, which it moves.
func (l *loop) pull(ctx context.Context, cursor uint64, dirty solver.Dirty) (uint64, solver.Dirty, error) {
	changes, next, err := l.node.Changes(ctx, cursor)
	switch {
	case errors.Is(err, model.ErrNotFound):
		return l.node.State().Index(), solver.Everything(), nil
	case ctx.Err() != nil:
		return cursor, dirty, nil
	case err != nil:
		return cursor, dirty, err
	}
	st := l.node.State()
	for _, c := range changes {
		dirty.Merge(solver.DirtyOf(st, c.Keys))
		l.follow(c)
	}
	return next, dirty, nil
}

// solve proposes what follows, or says that nothing does. It returns what is
// to be solved again.
func (l *loop) solve(ctx context.Context, st state.State, dirty solver.Dirty, cursor uint64) (solver.Dirty, error) {
	var commands []state.Command
	if !dirty.Empty() {
		began := time.Now()
		commands, _ = l.live.Solve(st, dirty)
		l.meter.Solved(len(commands), time.Since(began))
		l.followed(began, len(commands))
	}
	if len(commands) == 0 {
		if st.Silent() || st.SolvedThrough() >= cursor {
			return solver.Dirty{}, nil
		}
		commands = []state.Command{{Origin: state.Solver, Author: "solver", Ops: []state.Op{state.MarkSolved{Through: cursor}}}}
		dirty = solver.Dirty{}
	}
	outcomes, err := l.node.Propose(ctx, commands...)
	if err != nil {
		if ctx.Err() != nil || errors.Is(err, model.ErrUnavailable) {
			return dirty, nil // leadership ends, or the next tick tries again
		}
		return dirty, err
	}
	again := false
	for i, o := range outcomes {
		switch {
		case o.Err == nil:
		case errors.Is(o.Err, model.ErrConflict):
			again = true
		default:
			l.log.Error("a derived command was refused", "error", o.Err, "ops", commands[i].Ops)
		}
	}
	if again {
		return dirty, nil
	}
	return solver.Dirty{}, nil
}
