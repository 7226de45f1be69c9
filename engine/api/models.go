package api

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

// ListModels returns the models that the caller may read.
func (s *Service) ListModels(ctx context.Context) ([]operator.ModelSummary, error) {
	who, err := caller(ctx, Login, "")
	if err != nil {
		return nil, err
	}
	st, err := s.log.Read(ctx)
	if err != nil {
		return nil, err
	}
	caller, _ := s.operator(st, who)
	var list []operator.ModelSummary
	for _, m := range st.Models() {
		access := string(caller.level(st, m.Name))
		if access == "" {
			continue
		}
		list = append(list, operator.ModelSummary{
			Name: m.Name, Life: m.Life, Revision: m.Revision, Access: access,
			Applications: len(st.Applications(m.Name)), Units: len(st.ModelUnits(m.Name)), Machines: len(st.Machines(m.Name)),
		})
	}
	return list, nil
}

// AddModel makes an empty model, which who made it administers.
func (s *Service) AddModel(ctx context.Context, r operator.AddModel) (operator.Committed, error) {
	who, err := caller(ctx, AddModels, "")
	if err != nil {
		return operator.Committed{}, err
	}
	provider := r.Provider
	if provider == "" {
		provider = s.c.About.Provider
	}
	if s.c.About.Provider != "" && provider != s.c.About.Provider {
		return operator.Committed{}, fmt.Errorf("provider %q: this controller's host agent offers %s: %w", provider, s.c.About.Provider, model.ErrInvalid)
	}
	ops := []state.Op{state.AddModel{Model: r.Name, UUID: uuid.NewString(), Provider: provider}}
	if o, ok := s.operator(s.log.State(), who); ok && !o.Superuser {
		ops = append(ops, state.SetAccess{User: o.Name, Model: r.Name, Level: model.AdminAccess})
	}
	return s.changed(ctx, who, r.Change, ops...)
}

// DestroyModel asks that a model go with all in it.
func (s *Service) DestroyModel(ctx context.Context, r operator.DestroyModel) (operator.Committed, error) {
	who, err := caller(ctx, Admin, r.Model)
	if err != nil {
		return operator.Committed{}, err
	}
	return s.changed(ctx, who, r.Change, state.DestroyModel{Model: r.Model, DestroyStorage: r.DestroyStorage, Force: r.Force})
}
