package wire

import (
	"context"

	"github.com/gantry-orchestrator/gantry/engine/wire/internal/pb"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

// Applications is about deployed charms.
type Applications interface {
	Deploy(ctx context.Context, r operator.Deploy) (operator.Committed, error)
	RemoveApplication(ctx context.Context, r operator.Removal) (operator.Committed, error)
	ShowApplication(ctx context.Context, m model.ModelName, a model.ApplicationName) (operator.ApplicationDetail, error)
	Trust(ctx context.Context, r operator.Trust) (operator.Committed, error)
	Expose(ctx context.Context, r operator.Expose) (operator.Committed, error)
}

type applicationsServer struct {
	pb.UnimplementedApplicationsServer
	api Applications
}

// Deploy implements pb.ApplicationsServer.
func (s applicationsServer) Deploy(ctx context.Context, r *pb.DeployRequest) (*pb.Committed, error) {
	d := operator.Deploy{
		Change: changeOf(r.Change), Charm: r.Charm, Units: int(r.Units), Config: r.Config, To: r.To, Trust: r.Trust, Expose: r.Expose,
	}
	var err error
	if d.Model, err = model.ParseModelName(r.Model); err != nil {
		return nil, err
	}
	if r.Application != "" {
		if d.Application, err = model.ParseApplicationName(r.Application); err != nil {
			return nil, err
		}
	}
	if d.Constraints, err = model.ParseConstraints(r.Constraints); err != nil {
		return nil, err
	}
	return answerCommitted(s.api.Deploy(ctx, d))
}

// RemoveApplication implements pb.ApplicationsServer.
func (s applicationsServer) RemoveApplication(ctx context.Context, r *pb.RemoveApplicationRequest) (*pb.Committed, error) {
	m, a, err := inModel(r.Model, r.Application)
	if err != nil {
		return nil, err
	}
	return answerCommitted(s.api.RemoveApplication(ctx, operator.Removal{
		Change: changeOf(r.Change), Model: m, Application: a, DestroyStorage: r.DestroyStorage, Force: r.Force,
	}))
}

// ShowApplication implements pb.ApplicationsServer.
func (s applicationsServer) ShowApplication(ctx context.Context, r *pb.ShowApplicationRequest) (*pb.ShowApplicationResponse, error) {
	m, a, err := inModel(r.Model, r.Application)
	if err != nil {
		return nil, err
	}
	detail, err := s.api.ShowApplication(ctx, m, a)
	if err != nil {
		return nil, err
	}
	b, err := encode(detail)
	return &pb.ShowApplicationResponse{Application: b}, err
}

// Trust implements pb.ApplicationsServer.
func (s applicationsServer) Trust(ctx context.Context, r *pb.TrustRequest) (*pb.Committed, error) {
	m, a, err := inModel(r.Model, r.Application)
	if err != nil {
		return nil, err
	}
	return answerCommitted(s.api.Trust(ctx, operator.Trust{Change: changeOf(r.Change), Model: m, Application: a, Trust: r.Trust}))
}

// Expose implements pb.ApplicationsServer.
func (s applicationsServer) Expose(ctx context.Context, r *pb.ExposeRequest) (*pb.Committed, error) {
	m, a, err := inModel(r.Model, r.Application)
	if err != nil {
		return nil, err
	}
	return answerCommitted(s.api.Expose(ctx, operator.Expose{Change: changeOf(r.Change), Model: m, Application: a, Expose: r.Expose}))
}

type applicationsClient struct{ pb pb.ApplicationsClient }

// Deploy implements Applications.
func (c applicationsClient) Deploy(ctx context.Context, r operator.Deploy) (operator.Committed, error) {
	return readCommitted(c.pb.Deploy(ctx, &pb.DeployRequest{
		Model: string(r.Model), Charm: r.Charm, Application: string(r.Application), Units: uint32(r.Units), Config: r.Config,
		Constraints: r.Constraints.String(), To: r.To, Trust: r.Trust, Expose: r.Expose, Change: pbChange(r.Change),
	}))
}

// RemoveApplication implements Applications.
func (c applicationsClient) RemoveApplication(ctx context.Context, r operator.Removal) (operator.Committed, error) {
	return readCommitted(c.pb.RemoveApplication(ctx, &pb.RemoveApplicationRequest{
		Model: string(r.Model), Application: string(r.Application), DestroyStorage: r.DestroyStorage, Force: r.Force, Change: pbChange(r.Change),
	}))
}

// ShowApplication implements Applications.
func (c applicationsClient) ShowApplication(ctx context.Context, m model.ModelName, a model.ApplicationName) (operator.ApplicationDetail, error) {
	r, err := c.pb.ShowApplication(ctx, &pb.ShowApplicationRequest{Model: string(m), Application: string(a)})
	if err != nil {
		return operator.ApplicationDetail{}, err
	}
	return decode[operator.ApplicationDetail](r.Application)
}

// Trust implements Applications.
func (c applicationsClient) Trust(ctx context.Context, r operator.Trust) (operator.Committed, error) {
	return readCommitted(c.pb.Trust(ctx, &pb.TrustRequest{
		Model: string(r.Model), Application: string(r.Application), Trust: r.Trust, Change: pbChange(r.Change),
	}))
}

// Expose implements Applications.
func (c applicationsClient) Expose(ctx context.Context, r operator.Expose) (operator.Committed, error) {
	return readCommitted(c.pb.Expose(ctx, &pb.ExposeRequest{
		Model: string(r.Model), Application: string(r.Application), Expose: r.Expose, Change: pbChange(r.Change),
	}))
}
