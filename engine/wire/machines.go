package wire

import (
	"context"

	"github.com/gantry-orchestrator/gantry/engine/wire/internal/pb"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

// Machines is about the hosts of units.
type Machines interface {
	ListMachines(ctx context.Context, m model.ModelName) ([]operator.Machine, error)
	AddMachine(ctx context.Context, r operator.AddMachine) (operator.MachineAdded, error)
	RemoveMachine(ctx context.Context, r operator.RemoveMachine) (operator.Committed, error)
}

type machinesServer struct {
	pb.UnimplementedMachinesServer
	api Machines
}

// ListMachines implements pb.MachinesServer.
func (s machinesServer) ListMachines(ctx context.Context, r *pb.ListMachinesRequest) (*pb.ListMachinesResponse, error) {
	m, err := model.ParseModelName(r.Model)
	if err != nil {
		return nil, err
	}
	list, err := s.api.ListMachines(ctx, m)
	if err != nil {
		return nil, err
	}
	b, err := encode(list)
	return &pb.ListMachinesResponse{Machines: b}, err
}

// AddMachine implements pb.MachinesServer.
func (s machinesServer) AddMachine(ctx context.Context, r *pb.AddMachineRequest) (*pb.AddMachineResponse, error) {
	m, err := model.ParseModelName(r.Model)
	if err != nil {
		return nil, err
	}
	constraints, err := model.ParseConstraints(r.Constraints)
	if err != nil {
		return nil, err
	}
	added, err := s.api.AddMachine(ctx, operator.AddMachine{Change: changeOf(r.Change), Model: m, Constraints: constraints, Base: r.Base})
	if err != nil {
		return nil, err
	}
	return &pb.AddMachineResponse{Committed: pbCommitted(added.Committed), Machine: string(added.Machine)}, nil
}

// RemoveMachine implements pb.MachinesServer.
func (s machinesServer) RemoveMachine(ctx context.Context, r *pb.RemoveMachineRequest) (*pb.Committed, error) {
	m, err := model.ParseModelName(r.Model)
	if err != nil {
		return nil, err
	}
	machine, err := model.ParseMachineName(r.Machine)
	if err != nil {
		return nil, err
	}
	return answerCommitted(s.api.RemoveMachine(ctx, operator.RemoveMachine{Change: changeOf(r.Change), Model: m, Machine: machine, Force: r.Force}))
}

type machinesClient struct{ pb pb.MachinesClient }

// ListMachines implements Machines.
func (c machinesClient) ListMachines(ctx context.Context, m model.ModelName) ([]operator.Machine, error) {
	r, err := c.pb.ListMachines(ctx, &pb.ListMachinesRequest{Model: string(m)})
	if err != nil {
		return nil, err
	}
	return decode[[]operator.Machine](r.Machines)
}

// AddMachine implements Machines.
func (c machinesClient) AddMachine(ctx context.Context, r operator.AddMachine) (operator.MachineAdded, error) {
	answer, err := c.pb.AddMachine(ctx, &pb.AddMachineRequest{
		Model: string(r.Model), Constraints: r.Constraints.String(), Base: r.Base, Change: pbChange(r.Change),
	})
	if err != nil {
		return operator.MachineAdded{}, err
	}
	machine, err := model.ParseMachineName(answer.Machine)
	return operator.MachineAdded{Committed: committedOf(answer.Committed), Machine: machine}, err
}

// RemoveMachine implements Machines.
func (c machinesClient) RemoveMachine(ctx context.Context, r operator.RemoveMachine) (operator.Committed, error) {
	return readCommitted(c.pb.RemoveMachine(ctx, &pb.RemoveMachineRequest{
		Model: string(r.Model), Machine: string(r.Machine), Force: r.Force, Change: pbChange(r.Change),
	}))
}
