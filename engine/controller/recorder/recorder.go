// Package recorder brings what a leading controller sees to the history:
// committed changes from where the history ends, how things fare, what agents
// wrote and who asked for what. It holds nobody up: where the history cannot
// be written, it waits and the model goes on.
package recorder

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/gantry-orchestrator/gantry/engine/api"
	"github.com/gantry-orchestrator/gantry/engine/consensus"
	"github.com/gantry-orchestrator/gantry/engine/history"
	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

const (
	retryEvery  = 500 * time.Millisecond
	lookAgain   = 500 * time.Millisecond // between two looks at how a model fares
	lookShare   = 20                     // a look may take this part of the time
	agentsTurn  = 2 * time.Second        // agents are heard by a new leader within this
	linesEvery  = 100 * time.Millisecond
	memberEvery = 3 * time.Second
	cursorName  = "events"
)

// Log is the replicated log.
type Log interface {
	State() state.State
	Changes(ctx context.Context, index uint64) ([]consensus.Change, uint64, error)
	Advanced(index uint64) <-chan struct{}
}

// Live is what agents report.
type Live interface {
	Changed() <-chan struct{}
	Lines(after uint64) ([]api.LogLine, uint64)
}

// Config is what a recorder works with.
type Config struct {
	History *history.History
	Log     Log
	Live    Live
	Status  func(state.State, model.ModelName) (operator.Status, error)
	Members func() []string // of the control plane, by name
	Logger  *slog.Logger
	Now     func() time.Time
}

// Recorder is safe for concurrent use.
type Recorder struct {
	Config
	source string
	n      atomic.Uint64 // numbers what the source records
	line   uint64        // the next of Live's lines; it outlives a term
}

// New makes a recorder.
func New(c Config) *Recorder {
	return &Recorder{Config: c, source: history.NewSource()}
}

// Lead records while this controller leads, until ctx ends. It never fails.
func (r *Recorder) Lead(ctx context.Context) error {
	var g errgroup.Group
	for _, part := range []func(context.Context){r.events, r.lines, r.statuses, r.members} {
		g.Go(func() error {
			part(ctx)
			return nil
		})
	}
	return g.Wait()
}

// Audit records a request. It never waits.
func (r *Recorder) Audit(a operator.AuditRecord) {
	r.History.Offer(history.Audit{
		Source: r.next(), At: r.Now(), Who: a.Who, Method: a.Route, Model: a.Model, Outcome: string(a.Outcome), Why: a.Error,
	})
}

func (r *Recorder) next() history.Source { return history.Source{ID: r.source, N: r.n.Add(1)} }

// lines records what agents and services write.
func (r *Recorder) lines(ctx context.Context) {
	source := r.source + "/lines"
	for ctx.Err() == nil {
		changed := r.Live.Changed()
		list, next := r.Live.Lines(r.line)
		first := next - uint64(len(list))
		if first > r.line {
			r.History.Offer(history.Gap{Source: r.next(), At: r.Now(), What: "lines", Lost: first - r.line})
		}
		rows := make([]history.Row, 0, len(list))
		for i, l := range list {
			row := history.Line{
				Source: history.Source{ID: source, N: first + uint64(i)}, At: l.Line.Time, Model: string(l.Model),
				Machine: l.Line.Machine, Origin: l.Line.Source, Level: l.Line.Level, Text: l.Line.Text,
			}
			if row.Level == "" {
				row.Level = levelOf(row.Text)
			}
			if !l.Line.Unit.IsZero() {
				row.Unit = l.Line.Unit.String()
			}
			rows = append(rows, row)
		}
		r.History.Offer(rows...)
		r.line = next
		wait(ctx, changed, nil, time.Hour)
		wait(ctx, nil, nil, linesEvery)
	}
}

// members keeps the members of the history those of the control plane.
func (r *Recorder) members(ctx context.Context) {
	var followed []string
	for ctx.Err() == nil {
		names := r.Members()
		slices.Sort(names)
		if len(names) > 1 && !slices.Equal(names, followed) || len(names) < len(followed) {
			if err := r.History.Follow(ctx, names); err == nil {
				followed = names
			} else if ctx.Err() == nil && !errors.Is(err, model.ErrUnavailable) {
				r.Logger.Warn("the members of the history are not yet those of the controllers", "error", err)
			}
		}
		wait(ctx, nil, nil, memberEvery)
	}
}

// wait ends with either channel, with the pause or with ctx.
func wait(ctx context.Context, a, b <-chan struct{}, pause time.Duration) {
	t := time.NewTimer(pause)
	defer t.Stop()
	select {
	case <-a:
	case <-b:
	case <-t.C:
	case <-ctx.Done():
	}
}
