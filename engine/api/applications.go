package api

import (
	"context"
	"fmt"

	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/engine/state/tables"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

// Deploy makes an application of a charm that the catalog has.
func (s *Service) Deploy(ctx context.Context, r operator.Deploy) (operator.Committed, error) {
	who, err := caller(ctx, Write, r.Model)
	if err != nil {
		return operator.Committed{}, err
	}
	charm, err := s.c.Catalog.Find(r.Charm)
	if err != nil {
		return operator.Committed{}, err
	}
	name := r.Application
	if name == "" {
		if name, err = model.ParseApplicationName(string(charm.Declared.Meta.Name)); err != nil {
			return operator.Committed{}, err
		}
	}
	config, err := charm.Declared.Config.Parse(r.Config)
	if err != nil {
		return operator.Committed{}, fmt.Errorf("deploy %s: %w", name, err)
	}
	to, err := placements(r.To)
	if err != nil {
		return operator.Committed{}, err
	}
	units := r.Units
	switch {
	case charm.Declared.Meta.Subordinate && units > 0:
		return operator.Committed{}, fmt.Errorf("deploy %s: a subordinate has no units of its own: relate it to its principal: %w", name, model.ErrInvalid)
	case !charm.Declared.Meta.Subordinate && units == 0:
		units = max(1, len(to))
	}
	return s.changed(ctx, who, r.Change,
		addCharm(r.Model, charm),
		state.AddApplication{
			Model: r.Model, Name: name, Charm: charm.Declared.Meta.Name, Hash: charm.Hash, Units: units, To: to,
			Config: config, Constraints: r.Constraints, Trust: r.Trust, Exposed: r.Expose,
		})
}

func addCharm(m model.ModelName, a Artifact) state.AddCharm {
	return state.AddCharm{Model: m, Hash: a.Hash, Artifact: a.Location, Declared: a.Declared, Shared: a.Shared}
}

func placements(texts []string) ([]state.Placement, error) {
	var list []state.Placement
	for _, text := range texts {
		p, err := state.ParsePlacement(text)
		if err != nil {
			return nil, err
		}
		list = append(list, p)
	}
	return list, nil
}

// RemoveApplication asks that an application go.
func (s *Service) RemoveApplication(ctx context.Context, r operator.Removal) (operator.Committed, error) {
	who, err := caller(ctx, Write, r.Model)
	if err != nil {
		return operator.Committed{}, err
	}
	if _, err := application(s.log.State(), r.Model, r.Application); err != nil {
		return operator.Committed{}, err
	}
	return s.changed(ctx, who, r.Change, state.RemoveApplication{
		Model: r.Model, Application: r.Application, DestroyStorage: r.DestroyStorage, Force: r.Force,
	})
}

// Trust gives or takes an application's access beyond its machines.
func (s *Service) Trust(ctx context.Context, r operator.Trust) (operator.Committed, error) {
	who, err := caller(ctx, Admin, r.Model)
	if err != nil {
		return operator.Committed{}, err
	}
	return s.changed(ctx, who, r.Change, state.SetTraits{Model: r.Model, Application: r.Application, Trust: &r.Trust})
}

// Expose opens or closes an application's ports.
func (s *Service) Expose(ctx context.Context, r operator.Expose) (operator.Committed, error) {
	who, err := caller(ctx, Write, r.Model)
	if err != nil {
		return operator.Committed{}, err
	}
	return s.changed(ctx, who, r.Change, state.SetTraits{Model: r.Model, Application: r.Application, Exposed: &r.Expose})
}

// AddUnits makes units of an application.
func (s *Service) AddUnits(ctx context.Context, r operator.AddUnits) (operator.UnitsAdded, error) {
	who, err := caller(ctx, Write, r.Model)
	if err != nil {
		return operator.UnitsAdded{}, err
	}
	to, err := placements(r.To)
	if err != nil {
		return operator.UnitsAdded{}, err
	}
	result, err := s.change(ctx, who, r.Change, state.AddUnits{
		Model: r.Model, Application: r.Application, Count: max(1, r.Count, len(to)), To: to,
	})
	if err != nil {
		return operator.UnitsAdded{}, err
	}
	added := operator.UnitsAdded{Committed: committed(result)}
	for _, key := range result.Created {
		if u, ok := key.Unit(); ok && key.Table == tables.Unit {
			added.Units = append(added.Units, u.Unit)
		}
	}
	return added, nil
}

// RemoveUnits asks that units go.
func (s *Service) RemoveUnits(ctx context.Context, r operator.RemoveUnits) (operator.Committed, error) {
	who, err := caller(ctx, Write, r.Model)
	if err != nil {
		return operator.Committed{}, err
	}
	return s.changed(ctx, who, r.Change, state.RemoveUnits{
		Model: r.Model, Units: r.Units, DestroyStorage: r.DestroyStorage, Force: r.Force,
	})
}
