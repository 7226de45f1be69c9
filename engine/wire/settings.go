package wire

import (
	"context"

	"github.com/gantry-orchestrator/gantry/engine/wire/internal/pb"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

// Settings is about an application's configuration and constraints.
type Settings interface {
	// Config returns all options with their values, by name.
	Config(ctx context.Context, m model.ModelName, a model.ApplicationName) ([]operator.Option, error)
	SetConfig(ctx context.Context, r operator.SetConfig) (operator.Committed, error)
	SetConstraints(ctx context.Context, r operator.SetConstraints) (operator.Committed, error)
}

type settingsServer struct {
	pb.UnimplementedSettingsServer
	api Settings
}

// Config implements pb.SettingsServer.
func (s settingsServer) Config(ctx context.Context, r *pb.ConfigRequest) (*pb.ConfigResponse, error) {
	m, a, err := inModel(r.Model, r.Application)
	if err != nil {
		return nil, err
	}
	options, err := s.api.Config(ctx, m, a)
	if err != nil {
		return nil, err
	}
	b, err := encode(options)
	return &pb.ConfigResponse{Options: b}, err
}

// SetConfig implements pb.SettingsServer.
func (s settingsServer) SetConfig(ctx context.Context, r *pb.SetConfigRequest) (*pb.Committed, error) {
	m, a, err := inModel(r.Model, r.Application)
	if err != nil {
		return nil, err
	}
	return answerCommitted(s.api.SetConfig(ctx, operator.SetConfig{Change: changeOf(r.Change), Model: m, Application: a, Set: r.Set, Reset: r.Reset_}))
}

// SetConstraints implements pb.SettingsServer.
func (s settingsServer) SetConstraints(ctx context.Context, r *pb.SetConstraintsRequest) (*pb.Committed, error) {
	m, a, err := inModel(r.Model, r.Application)
	if err != nil {
		return nil, err
	}
	constraints, err := model.ParseConstraints(r.Constraints)
	if err != nil {
		return nil, err
	}
	return answerCommitted(s.api.SetConstraints(ctx, operator.SetConstraints{
		Change: changeOf(r.Change), Model: m, Application: a, Constraints: constraints,
	}))
}

type settingsClient struct{ pb pb.SettingsClient }

// Config implements Settings.
func (c settingsClient) Config(ctx context.Context, m model.ModelName, a model.ApplicationName) ([]operator.Option, error) {
	r, err := c.pb.Config(ctx, &pb.ConfigRequest{Model: string(m), Application: string(a)})
	if err != nil {
		return nil, err
	}
	return decode[[]operator.Option](r.Options)
}

// SetConfig implements Settings.
func (c settingsClient) SetConfig(ctx context.Context, r operator.SetConfig) (operator.Committed, error) {
	return readCommitted(c.pb.SetConfig(ctx, &pb.SetConfigRequest{
		Model: string(r.Model), Application: string(r.Application), Set: r.Set, Reset_: r.Reset, Change: pbChange(r.Change),
	}))
}

// SetConstraints implements Settings.
func (c settingsClient) SetConstraints(ctx context.Context, r operator.SetConstraints) (operator.Committed, error) {
	return readCommitted(c.pb.SetConstraints(ctx, &pb.SetConstraintsRequest{
		Model: string(r.Model), Application: string(r.Application), Constraints: r.Constraints.String(), Change: pbChange(r.Change),
	}))
}
