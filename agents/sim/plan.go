package sim

import (
	"context"

	"github.com/gantry-orchestrator/gantry/charms/sdk"
	"github.com/gantry-orchestrator/gantry/engine/plan"
	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

// plan says what a change would do, from what the controller has heard.
func (s *simulation) plan(c state.Command) (operator.Planned, error) {
	c.Version, c.Now = state.FormatVersion, s.now
	before := s.ctl.state
	after, _, err := before.Apply(c)
	if err != nil {
		return operator.Planned{}, err
	}
	planner := plan.Config{
		Charms: asked{s}, Host: hostOf,
		Report: func(u state.UnitRef) (effect.Report, bool) {
			r, heard := s.ctl.seen.Reports[u]
			return r, heard
		},
		Workload: func(name model.CharmName) (plan.Workload, bool) {
			b, _ := s.builtin(name)
			w, ok := sdk.Simulate(b.Charm, s.Seed)
			return w, ok
		},
	}
	return planner.Plan(context.Background(), Model, before, after)
}

// asked asks charms in process.
type asked struct{ *simulation }

// Reconcile implements plan.Reconciler.
func (a asked) Reconcile(_ context.Context, _ effect.Charm, in effect.Input) (effect.Desired, error) {
	return a.reconcile(in)
}
