package wire

import (
	"context"

	"github.com/gantry-orchestrator/gantry/engine/wire/internal/pb"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

// Relations joins applications.
type Relations interface {
	Integrate(ctx context.Context, r operator.Integrate) (operator.Integrated, error)
	RemoveRelation(ctx context.Context, r operator.RemoveRelation) (operator.Committed, error)
}

type relationsServer struct {
	pb.UnimplementedRelationsServer
	api Relations
}

func ends(a, b string) (x, y model.EndpointRef, err error) {
	if x, err = model.ParseEndpointRef(a); err != nil {
		return x, y, err
	}
	y, err = model.ParseEndpointRef(b)
	return x, y, err
}

// Integrate implements pb.RelationsServer.
func (s relationsServer) Integrate(ctx context.Context, r *pb.IntegrateRequest) (*pb.IntegrateResponse, error) {
	m, err := model.ParseModelName(r.Model)
	if err != nil {
		return nil, err
	}
	a, b, err := ends(r.A, r.B)
	if err != nil {
		return nil, err
	}
	made, err := s.api.Integrate(ctx, operator.Integrate{Change: changeOf(r.Change), Model: m, A: a, B: b})
	if err != nil {
		return nil, err
	}
	return &pb.IntegrateResponse{
		Committed: pbCommitted(made.Committed), Relation: uint64(made.Relation), A: made.A.String(), B: made.B.String(),
	}, nil
}

// RemoveRelation implements pb.RelationsServer.
func (s relationsServer) RemoveRelation(ctx context.Context, r *pb.RemoveRelationRequest) (*pb.Committed, error) {
	removal := operator.RemoveRelation{Change: changeOf(r.Change), Relation: model.RelationID(r.Relation), Force: r.Force}
	var err error
	if removal.Model, err = model.ParseModelName(r.Model); err != nil {
		return nil, err
	}
	if removal.Relation == 0 {
		if removal.A, removal.B, err = ends(r.A, r.B); err != nil {
			return nil, err
		}
	}
	return answerCommitted(s.api.RemoveRelation(ctx, removal))
}

type relationsClient struct{ pb pb.RelationsClient }

// Integrate implements Relations.
func (c relationsClient) Integrate(ctx context.Context, r operator.Integrate) (operator.Integrated, error) {
	answer, err := c.pb.Integrate(ctx, &pb.IntegrateRequest{
		Model: string(r.Model), A: r.A.String(), B: r.B.String(), Change: pbChange(r.Change),
	})
	if err != nil {
		return operator.Integrated{}, err
	}
	a, b, err := ends(answer.A, answer.B)
	return operator.Integrated{Committed: committedOf(answer.Committed), Relation: model.RelationID(answer.Relation), A: a, B: b}, err
}

// RemoveRelation implements Relations.
func (c relationsClient) RemoveRelation(ctx context.Context, r operator.RemoveRelation) (operator.Committed, error) {
	return readCommitted(c.pb.RemoveRelation(ctx, &pb.RemoveRelationRequest{
		Model: string(r.Model), Relation: uint64(r.Relation), A: r.A.String(), B: r.B.String(), Force: r.Force, Change: pbChange(r.Change),
	}))
}
