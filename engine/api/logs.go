package api

import (
	"context"
	"slices"

	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

// DebugLog sends the lines of a model's log that a query selects.
func (s *Service) DebugLog(ctx context.Context, q operator.LogQuery, send func([]effect.LogLine) error) error {
	if _, err := caller(ctx, Read, q.Model); err != nil {
		return err
	}
	selected := s.selects(q)
	var cursor uint64
	for first := true; ; first = false {
		changed := s.c.Live.Changed()
		lines, next := s.c.Live.Lines(cursor)
		cursor = next
		var out []effect.LogLine
		for _, l := range lines {
			if selected(l) {
				out = append(out, l.Line)
			}
		}
		if first && q.Lines > 0 && len(out) > q.Lines {
			out = out[len(out)-q.Lines:]
		}
		if len(out) > 0 {
			if err := send(out); err != nil {
				return err
			}
		}
		if !q.Follow {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// selects is the query as a predicate; a machine selects its units too.
func (s *Service) selects(q operator.LogQuery) func(LogLine) bool {
	all := len(q.Units) == 0 && len(q.Machines) == 0
	return func(l LogLine) bool {
		if l.Model != q.Model {
			return false
		}
		return all || slices.Contains(q.Units, l.Line.Unit) || slices.Contains(q.Machines, s.machineNamed(q.Model, l.Line))
	}
}

func (s *Service) machineNamed(m model.ModelName, l effect.LogLine) model.MachineName {
	st := s.log.State()
	if u, ok := st.Unit(state.UnitRef{Model: m, Unit: l.Unit}); ok {
		return u.Machine
	}
	if machine, ok := st.MachineByUUID(l.Machine); ok {
		return machine.Name
	}
	return ""
}
