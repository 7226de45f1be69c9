package wire

import (
	"context"

	"github.com/gantry-orchestrator/gantry/engine/wire/internal/pb"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

// Units is about the instances of an application.
type Units interface {
	AddUnits(ctx context.Context, r operator.AddUnits) (operator.UnitsAdded, error)
	RemoveUnits(ctx context.Context, r operator.RemoveUnits) (operator.Committed, error)
	ShowUnit(ctx context.Context, m model.ModelName, u model.UnitName) (operator.UnitDetail, error)
}

type unitsServer struct {
	pb.UnimplementedUnitsServer
	api Units
}

// AddUnits implements pb.UnitsServer.
func (s unitsServer) AddUnits(ctx context.Context, r *pb.AddUnitsRequest) (*pb.AddUnitsResponse, error) {
	m, a, err := inModel(r.Model, r.Application)
	if err != nil {
		return nil, err
	}
	added, err := s.api.AddUnits(ctx, operator.AddUnits{Change: changeOf(r.Change), Model: m, Application: a, Count: int(r.Count), To: r.To})
	if err != nil {
		return nil, err
	}
	return &pb.AddUnitsResponse{Committed: pbCommitted(added.Committed), Units: texts(added.Units)}, nil
}

// RemoveUnits implements pb.UnitsServer.
func (s unitsServer) RemoveUnits(ctx context.Context, r *pb.RemoveUnitsRequest) (*pb.Committed, error) {
	m, err := model.ParseModelName(r.Model)
	if err != nil {
		return nil, err
	}
	units, err := names(r.Units, model.ParseUnitName)
	if err != nil {
		return nil, err
	}
	return answerCommitted(s.api.RemoveUnits(ctx, operator.RemoveUnits{
		Change: changeOf(r.Change), Model: m, Units: units, DestroyStorage: r.DestroyStorage, Force: r.Force,
	}))
}

// ShowUnit implements pb.UnitsServer.
func (s unitsServer) ShowUnit(ctx context.Context, r *pb.ShowUnitRequest) (*pb.ShowUnitResponse, error) {
	m, err := model.ParseModelName(r.Model)
	if err != nil {
		return nil, err
	}
	u, err := model.ParseUnitName(r.Unit)
	if err != nil {
		return nil, err
	}
	detail, err := s.api.ShowUnit(ctx, m, u)
	if err != nil {
		return nil, err
	}
	b, err := encode(detail)
	return &pb.ShowUnitResponse{Unit: b}, err
}

type unitsClient struct{ pb pb.UnitsClient }

// AddUnits implements Units.
func (c unitsClient) AddUnits(ctx context.Context, r operator.AddUnits) (operator.UnitsAdded, error) {
	answer, err := c.pb.AddUnits(ctx, &pb.AddUnitsRequest{
		Model: string(r.Model), Application: string(r.Application), Count: uint32(r.Count), To: r.To, Change: pbChange(r.Change),
	})
	if err != nil {
		return operator.UnitsAdded{}, err
	}
	units, err := names(answer.Units, model.ParseUnitName)
	return operator.UnitsAdded{Committed: committedOf(answer.Committed), Units: units}, err
}

// RemoveUnits implements Units.
func (c unitsClient) RemoveUnits(ctx context.Context, r operator.RemoveUnits) (operator.Committed, error) {
	return readCommitted(c.pb.RemoveUnits(ctx, &pb.RemoveUnitsRequest{
		Model: string(r.Model), Units: texts(r.Units), DestroyStorage: r.DestroyStorage, Force: r.Force, Change: pbChange(r.Change),
	}))
}

// ShowUnit implements Units.
func (c unitsClient) ShowUnit(ctx context.Context, m model.ModelName, u model.UnitName) (operator.UnitDetail, error) {
	r, err := c.pb.ShowUnit(ctx, &pb.ShowUnitRequest{Model: string(m), Unit: u.String()})
	if err != nil {
		return operator.UnitDetail{}, err
	}
	return decode[operator.UnitDetail](r.Unit)
}
