package controller

import (
	"context"
	"sync"
	"time"

	"github.com/gantry-orchestrator/gantry/engine/consensus"
	"github.com/gantry-orchestrator/gantry/engine/observe/trace"
	"github.com/gantry-orchestrator/gantry/engine/solver"
	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/engine/wire"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// following is the revision that a change is or follows from, and whether that
// is traced.
func following(t *trace.Tracer, c consensus.Change) (revision uint64, traced bool) {
	if revision = c.Cause; c.Origin == state.Operator {
		revision = c.Revision
		t.Made(c.Key, revision)
	}
	_, traced = t.Following(context.Background(), revision)
	return revision, traced
}

// follow notes what the next round of the solver follows from.
func (l *loop) follow(c consensus.Change) {
	revision, traced := following(l.tracer, c)
	if !traced {
		return
	}
	if l.causes == nil {
		l.causes = map[uint64]bool{}
	}
	l.causes[revision] = true
}

// followed records a round of the solver in each trace that it follows from.
func (l *loop) followed(began time.Time, commands int) {
	for revision := range l.causes {
		ctx, _ := l.tracer.Following(context.Background(), revision)
		l.tracer.Past(ctx, "solve", began, map[string]int{"commands": commands, "revision": int(revision)})
	}
	clear(l.causes)
}

// traced is which revision the intent of a unit was changed by of late.
type traced struct {
	mu sync.Mutex
	by map[state.UnitRef]uint64
}

// follow notes whose intents follow from what is traced.
func (s *sessions) follow(c consensus.Change) {
	revision, traced := following(s.tracer, c)
	if !traced {
		return
	}
	s.traced.mu.Lock()
	defer s.traced.mu.Unlock()
	if s.traced.by == nil {
		s.traced.by = map[state.UnitRef]uint64{}
	}
	for _, ref := range solver.Affected(s.node.State(), c.Keys) {
		s.traced.by[ref] = revision
	}
}

// take returns, once, by which traced revision a unit's intent was changed; 0
// by none.
func (t *traced) take(ref state.UnitRef) uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	revision := t.by[ref]
	delete(t.by, ref)
	return revision
}

// deliver sends intents, those that are a part of the same trace together.
func (s *sessions) deliver(stream wire.AgentStream, m state.MachineRef, down effect.Downward) error {
	if s.tracer == nil {
		return stream.Send(down)
	}
	parts := map[uint64][]effect.Intent{}
	var rest []effect.Intent
	for _, in := range down.Set {
		if revision := s.traced.take(state.UnitRef{Model: m.Model, Unit: in.Spec.Unit}); revision > 0 {
			parts[revision] = append(parts[revision], in)
		} else {
			rest = append(rest, in)
		}
	}
	for revision, set := range parts {
		if err := s.deliverPart(stream, revision, set); err != nil {
			return err
		}
	}
	if down.Set = rest; len(down.Set)+len(down.Withdrawn) == 0 {
		return nil
	}
	return stream.Send(down)
}

func (s *sessions) deliverPart(stream wire.AgentStream, revision uint64, set []effect.Intent) (err error) {
	ctx, _ := s.tracer.Following(context.Background(), revision)
	ctx, end := s.tracer.Part(ctx, "push")
	defer func() { end(err) }()
	trace.Say(ctx, "revision", revision)
	trace.Say(ctx, "units", uint64(len(set)))
	return stream.Send(effect.Downward{Set: set, Trace: trace.Header(ctx)})
}

// toldSpans takes what an agent did as a part of what is traced.
func (r *root) toldSpans(m state.MachineRef, spans []effect.Span) {
	r.Tracer.Told(string(m.Model)+"/"+string(m.Machine), spans[:min(len(spans), maxSpans)])
}

// maxSpans bounds what an agent may tell at once.
const maxSpans = 256
