package api

import (
	"context"
	"fmt"

	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

// Config returns all options of an application with their values.
func (s *Service) Config(ctx context.Context, m model.ModelName, a model.ApplicationName) ([]operator.Option, error) {
	if _, err := caller(ctx, Read, m); err != nil {
		return nil, err
	}
	st, err := s.log.Read(ctx)
	if err != nil {
		return nil, err
	}
	app, err := application(st, m, a)
	if err != nil {
		return nil, err
	}
	return options(st, app), nil
}

func options(st state.State, app state.Application) []operator.Option {
	charm, _ := st.CharmOf(app)
	list := []operator.Option{}
	for _, name := range charm.Declared.Config.Names() {
		declared, _ := charm.Declared.Config.Option(name)
		option := operator.Option{Name: name, Type: string(declared.Type), Description: declared.Description}
		if declared.Default != nil {
			option.Default = declared.Default.Any()
			option.Value = option.Default
		}
		if v, ok := app.Config[name]; ok {
			option.Value, option.Set = v.Any(), true
		}
		list = append(list, option)
	}
	return list
}

// SetConfig changes options of an application.
func (s *Service) SetConfig(ctx context.Context, r operator.SetConfig) (operator.Committed, error) {
	who, err := caller(ctx, Write, r.Model)
	if err != nil {
		return operator.Committed{}, err
	}
	st := s.log.State()
	app, err := application(st, r.Model, r.Application)
	if err != nil {
		return operator.Committed{}, err
	}
	charm, _ := st.CharmOf(app)
	set, err := charm.Declared.Config.Parse(r.Set)
	if err != nil {
		return operator.Committed{}, fmt.Errorf("configure %s: %w", r.Application, err)
	}
	return s.changed(ctx, who, r.Change, state.SetConfig{Model: r.Model, Application: r.Application, Set: set, Unset: r.Reset})
}

// SetConstraints changes what an application's new machines must offer.
func (s *Service) SetConstraints(ctx context.Context, r operator.SetConstraints) (operator.Committed, error) {
	who, err := caller(ctx, Write, r.Model)
	if err != nil {
		return operator.Committed{}, err
	}
	return s.changed(ctx, who, r.Change, state.SetTraits{Model: r.Model, Application: r.Application, Constraints: &r.Constraints})
}
