package api

import (
	"context"
	"fmt"

	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

// ListMachines returns a model's machines by number.
func (s *Service) ListMachines(ctx context.Context, m model.ModelName) ([]operator.Machine, error) {
	if _, err := caller(ctx, Read, m); err != nil {
		return nil, err
	}
	st, err := s.log.Read(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := modelOf(st, m); err != nil {
		return nil, err
	}
	return s.machines(st, m), nil
}

func (s *Service) machines(st state.State, m model.ModelName) []operator.Machine {
	list := []operator.Machine{}
	for _, machine := range st.Machines(m) {
		live := s.c.Live.Machine(machine.Ref())
		row := operator.Machine{
			Name: machine.Name, UUID: machine.UUID, Life: machine.Life, Address: machine.Address, Base: machine.Base,
			Constraints: machine.Constraints.String(), Reachable: live.Reachable, Progress: live.Progress, Host: live.Host,
			Status: machineStatus(machine, live),
		}
		for _, u := range st.UnitsOn(machine.Ref()) {
			row.Units = append(row.Units, u.Name)
		}
		list = append(list, row)
	}
	return list
}

func machineStatus(m state.Machine, live MachineLive) model.Status {
	switch {
	case m.Fenced:
		return model.Status{Level: model.Blocked, Message: "acknowledged lost"}
	case m.State == state.MachineRequested:
		return model.Status{Level: model.Maintenance, Message: live.Progress}
	case m.State == state.MachineLost:
		return model.Status{Level: model.Blocked, Message: "does not run, by its provider's word"}
	case !live.Reachable:
		return model.Status{Level: model.Unknown, Message: "its agent is not heard"}
	default:
		return model.Status{Level: model.Active}
	}
}

// AddMachine asks for a machine without units.
func (s *Service) AddMachine(ctx context.Context, r operator.AddMachine) (operator.MachineAdded, error) {
	who, err := caller(ctx, Write, r.Model)
	if err != nil {
		return operator.MachineAdded{}, err
	}
	result, err := s.change(ctx, who, r.Change, state.AddMachine{Model: r.Model, Constraints: r.Constraints, Base: r.Base})
	if err != nil {
		return operator.MachineAdded{}, err
	}
	if len(result.Created) == 0 {
		return operator.MachineAdded{}, fmt.Errorf("add a machine to %s: none was made: %w", r.Model, model.ErrConflict)
	}
	return operator.MachineAdded{Committed: committed(result), Machine: model.MachineName(result.Created[0].ID)}, nil
}

// RemoveMachine asks that a machine go. By force one that is not heard is
// acknowledged to be lost: its agent is not listened to any more.
func (s *Service) RemoveMachine(ctx context.Context, r operator.RemoveMachine) (operator.Committed, error) {
	who, err := caller(ctx, Write, r.Model)
	if err != nil {
		return operator.Committed{}, err
	}
	ref := state.MachineRef{Model: r.Model, Machine: r.Machine}
	if _, ok := s.log.State().Machine(ref); !ok {
		return operator.Committed{}, fmt.Errorf("machine %s in model %s: %w", r.Machine, r.Model, model.ErrNotFound)
	}
	ops := []state.Op{state.RemoveMachine{Model: r.Model, Machine: r.Machine, Force: r.Force}}
	if r.Force && !s.c.Live.Machine(ref).Reachable {
		ops = append([]state.Op{state.AcknowledgeLost{Model: r.Model, Machine: r.Machine}}, ops...)
	}
	return s.changed(ctx, who, r.Change, ops...)
}
