package wire

import (
	"context"

	"github.com/gantry-orchestrator/gantry/engine/wire/internal/pb"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

// Models is about whole models.
type Models interface {
	// ListModels returns the models that the caller may read, by name.
	ListModels(ctx context.Context) ([]operator.ModelSummary, error)
	AddModel(ctx context.Context, r operator.AddModel) (operator.Committed, error)
	DestroyModel(ctx context.Context, r operator.DestroyModel) (operator.Committed, error)
	// ExportBundle returns the canonical bundle that would make the model.
	ExportBundle(ctx context.Context, m model.ModelName) ([]byte, error)
	// Apply makes the model what a bundle says, in one revision.
	Apply(ctx context.Context, r operator.Apply) (operator.Applied, error)
	// Plan says what an Apply would do, and does nothing.
	Plan(ctx context.Context, r operator.Apply) (operator.Planned, error)
}

type modelsServer struct {
	pb.UnimplementedModelsServer
	api Models
}

// ListModels implements pb.ModelsServer.
func (s modelsServer) ListModels(ctx context.Context, _ *pb.ListModelsRequest) (*pb.ListModelsResponse, error) {
	list, err := s.api.ListModels(ctx)
	if err != nil {
		return nil, err
	}
	out := &pb.ListModelsResponse{}
	for _, m := range list {
		out.Models = append(out.Models, &pb.ModelSummary{
			Name: string(m.Name), Life: m.Life.String(), Revision: m.Revision, Access: m.Access,
			Applications: uint32(m.Applications), Units: uint32(m.Units), Machines: uint32(m.Machines),
		})
	}
	return out, nil
}

// AddModel implements pb.ModelsServer.
func (s modelsServer) AddModel(ctx context.Context, r *pb.AddModelRequest) (*pb.Committed, error) {
	name, err := model.ParseModelName(r.Name)
	if err != nil {
		return nil, err
	}
	return answerCommitted(s.api.AddModel(ctx, operator.AddModel{Change: changeOf(r.Change), Name: name, Provider: r.Provider}))
}

// DestroyModel implements pb.ModelsServer.
func (s modelsServer) DestroyModel(ctx context.Context, r *pb.DestroyModelRequest) (*pb.Committed, error) {
	name, err := model.ParseModelName(r.Model)
	if err != nil {
		return nil, err
	}
	return answerCommitted(s.api.DestroyModel(ctx, operator.DestroyModel{
		Change: changeOf(r.Change), Model: name, DestroyStorage: r.DestroyStorage, Force: r.Force,
	}))
}

// ExportBundle implements pb.ModelsServer.
func (s modelsServer) ExportBundle(ctx context.Context, r *pb.ExportBundleRequest) (*pb.ExportBundleResponse, error) {
	name, err := model.ParseModelName(r.Model)
	if err != nil {
		return nil, err
	}
	b, err := s.api.ExportBundle(ctx, name)
	if err != nil {
		return nil, err
	}
	return &pb.ExportBundleResponse{Bundle: b}, nil
}

// Apply implements pb.ModelsServer.
func (s modelsServer) Apply(ctx context.Context, r *pb.ApplyRequest) (*pb.ApplyResponse, error) {
	name, err := model.ParseModelName(r.Model)
	if err != nil {
		return nil, err
	}
	applied, err := s.api.Apply(ctx, operator.Apply{Change: changeOf(r.Change), Model: name, Bundle: r.Bundle, Prune: r.Prune})
	if err != nil {
		return nil, err
	}
	differences, err := encode(applied.Differences)
	return &pb.ApplyResponse{Committed: pbCommitted(applied.Committed), Differences: differences}, err
}

// Plan implements pb.ModelsServer.
func (s modelsServer) Plan(ctx context.Context, r *pb.PlanRequest) (*pb.PlanResponse, error) {
	name, err := model.ParseModelName(r.Model)
	if err != nil {
		return nil, err
	}
	planned, err := s.api.Plan(ctx, operator.Apply{Model: name, Bundle: r.Bundle, Prune: r.Prune})
	if err != nil {
		return nil, err
	}
	b, err := encode(planned)
	return &pb.PlanResponse{Plan: b}, err
}

type modelsClient struct{ pb pb.ModelsClient }

// ListModels implements Models.
func (c modelsClient) ListModels(ctx context.Context) ([]operator.ModelSummary, error) {
	r, err := c.pb.ListModels(ctx, &pb.ListModelsRequest{})
	if err != nil {
		return nil, err
	}
	list := make([]operator.ModelSummary, 0, len(r.Models))
	for _, m := range r.Models {
		summary := operator.ModelSummary{
			Name: model.ModelName(m.Name), Revision: m.Revision, Access: m.Access,
			Applications: int(m.Applications), Units: int(m.Units), Machines: int(m.Machines),
		}
		if err := summary.Life.UnmarshalText([]byte(m.Life)); err != nil {
			return nil, err
		}
		list = append(list, summary)
	}
	return list, nil
}

// AddModel implements Models.
func (c modelsClient) AddModel(ctx context.Context, r operator.AddModel) (operator.Committed, error) {
	return readCommitted(c.pb.AddModel(ctx, &pb.AddModelRequest{Name: string(r.Name), Provider: r.Provider, Change: pbChange(r.Change)}))
}

// DestroyModel implements Models.
func (c modelsClient) DestroyModel(ctx context.Context, r operator.DestroyModel) (operator.Committed, error) {
	return readCommitted(c.pb.DestroyModel(ctx, &pb.DestroyModelRequest{
		Model: string(r.Model), DestroyStorage: r.DestroyStorage, Force: r.Force, Change: pbChange(r.Change),
	}))
}

// ExportBundle implements Models.
func (c modelsClient) ExportBundle(ctx context.Context, m model.ModelName) ([]byte, error) {
	r, err := c.pb.ExportBundle(ctx, &pb.ExportBundleRequest{Model: string(m)})
	return r.GetBundle(), err
}

// Apply implements Models.
func (c modelsClient) Apply(ctx context.Context, r operator.Apply) (operator.Applied, error) {
	answer, err := c.pb.Apply(ctx, &pb.ApplyRequest{Model: string(r.Model), Bundle: r.Bundle, Prune: r.Prune, Change: pbChange(r.Change)})
	if err != nil {
		return operator.Applied{}, err
	}
	differences, err := decode[[]operator.Difference](answer.Differences)
	return operator.Applied{Committed: committedOf(answer.Committed), Differences: differences}, err
}

// Plan implements Models.
func (c modelsClient) Plan(ctx context.Context, r operator.Apply) (operator.Planned, error) {
	answer, err := c.pb.Plan(ctx, &pb.PlanRequest{Model: string(r.Model), Bundle: r.Bundle, Prune: r.Prune})
	if err != nil {
		return operator.Planned{}, err
	}
	return decode[operator.Planned](answer.Plan)
}
