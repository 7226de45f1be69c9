package api

import (
	"context"
	"fmt"

	"github.com/gantry-orchestrator/gantry/engine/solver"
	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

// ShowApplication returns all that there is to see of an application.
func (s *Service) ShowApplication(ctx context.Context, m model.ModelName, name model.ApplicationName) (operator.ApplicationDetail, error) {
	if _, err := caller(ctx, Read, m); err != nil {
		return operator.ApplicationDetail{}, err
	}
	st, err := s.log.Read(ctx)
	if err != nil {
		return operator.ApplicationDetail{}, err
	}
	a, err := application(st, m, name)
	if err != nil {
		return operator.ApplicationDetail{}, err
	}
	c, _ := st.CharmOf(a)
	out := operator.ApplicationDetail{
		Application: s.application(st, a), Constraints: a.Constraints.String(), Endpoints: c.Declared.Meta.Endpoints, Config: options(st, a),
	}
	for _, r := range st.Relations(a.Ref()) {
		out.Relations = append(out.Relations, relation(r))
	}
	for _, r := range st.Records(m, state.Owner{Application: name}) {
		out.Records = append(out.Records, effect.Record{Name: r.Name, Scope: effect.ApplicationScope, Value: r.Value})
	}
	for _, action := range c.Declared.Actions {
		out.Actions = append(out.Actions, operator.ActionSummary{Name: action.Name, Kind: string(action.Kind), Description: action.Description})
	}
	return out, nil
}

// ShowUnit returns all that there is to see of a unit; of secrets there is
// nothing.
func (s *Service) ShowUnit(ctx context.Context, m model.ModelName, name model.UnitName) (operator.UnitDetail, error) {
	if _, err := caller(ctx, Read, m); err != nil {
		return operator.UnitDetail{}, err
	}
	st, err := s.log.Read(ctx)
	if err != nil {
		return operator.UnitDetail{}, err
	}
	ref := state.UnitRef{Model: m, Unit: name}
	u, ok := st.Unit(ref)
	if !ok || u.Life == model.Dead {
		return operator.UnitDetail{}, fmt.Errorf("unit %v in model %s: %w", name, m, model.ErrNotFound)
	}
	out := operator.UnitDetail{Unit: s.unit(st, u), Application: name.Application}
	if intent, wanted := solver.IntentOf(st, ref); wanted {
		out.Generation, out.Hash = intent.Generation, intent.Hash
		out.Relations, out.Records = intent.Spec.Relations, intent.Spec.Records
		out.Own, out.Grants = intent.Live.Own, intent.Live.Grants
	}
	if report, heard := s.c.Live.Report(ref); heard {
		out.Report, out.Facts = &report, report.Facts
	}
	return out, nil
}
