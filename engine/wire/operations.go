package wire

import (
	"context"

	"github.com/gantry-orchestrator/gantry/engine/wire/internal/pb"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

// Operations runs actions and commands on units and machines.
type Operations interface {
	// Run asks for an action; the answer is one pending operation a unit.
	Run(ctx context.Context, r operator.Run) ([]operator.Operation, error)
	// Exec asks for a command; the answer is one pending operation a target.
	Exec(ctx context.Context, r operator.Exec) ([]operator.Operation, error)
	ListOperations(ctx context.Context, m model.ModelName) ([]operator.Operation, error)
	// ShowOperation answers at once or, with wait, when the operation has ended.
	ShowOperation(ctx context.Context, m model.ModelName, id string, wait bool) (operator.Operation, error)
}

type operationsServer struct {
	pb.UnimplementedOperationsServer
	api Operations
}

func answerOperations(list []operator.Operation, err error) (*pb.OperationsResponse, error) {
	if err != nil {
		return nil, err
	}
	b, err := encode(list)
	return &pb.OperationsResponse{Operations: b}, err
}

func readOperations(r *pb.OperationsResponse, err error) ([]operator.Operation, error) {
	if err != nil {
		return nil, err
	}
	return decode[[]operator.Operation](r.Operations)
}

// Run implements pb.OperationsServer.
func (s operationsServer) Run(ctx context.Context, r *pb.RunRequest) (*pb.OperationsResponse, error) {
	m, err := model.ParseModelName(r.Model)
	if err != nil {
		return nil, err
	}
	var params map[string]any
	if len(r.Params) > 0 {
		if params, err = decode[map[string]any](r.Params); err != nil {
			return nil, err
		}
	}
	return answerOperations(s.api.Run(ctx, operator.Run{
		Change: changeOf(r.Change), Model: m, Units: r.Units, Action: r.Action, Params: params, Timeout: milliseconds(r.TimeoutMs),
	}))
}

// Exec implements pb.OperationsServer.
func (s operationsServer) Exec(ctx context.Context, r *pb.ExecRequest) (*pb.OperationsResponse, error) {
	m, err := model.ParseModelName(r.Model)
	if err != nil {
		return nil, err
	}
	machines, err := names(r.Machines, model.ParseMachineName)
	if err != nil {
		return nil, err
	}
	return answerOperations(s.api.Exec(ctx, operator.Exec{
		Change: changeOf(r.Change), Model: m, Units: r.Units, Machines: machines, Command: r.Command, Timeout: milliseconds(r.TimeoutMs),
	}))
}

// ListOperations implements pb.OperationsServer.
func (s operationsServer) ListOperations(ctx context.Context, r *pb.ListOperationsRequest) (*pb.OperationsResponse, error) {
	m, err := model.ParseModelName(r.Model)
	if err != nil {
		return nil, err
	}
	return answerOperations(s.api.ListOperations(ctx, m))
}

// ShowOperation implements pb.OperationsServer.
func (s operationsServer) ShowOperation(ctx context.Context, r *pb.ShowOperationRequest) (*pb.OperationsResponse, error) {
	m, err := model.ParseModelName(r.Model)
	if err != nil {
		return nil, err
	}
	op, err := s.api.ShowOperation(ctx, m, r.Id, r.Wait)
	return answerOperations([]operator.Operation{op}, err)
}

type operationsClient struct{ pb pb.OperationsClient }

// Run implements Operations.
func (c operationsClient) Run(ctx context.Context, r operator.Run) ([]operator.Operation, error) {
	params, err := encode(r.Params)
	if err != nil {
		return nil, err
	}
	return readOperations(c.pb.Run(ctx, &pb.RunRequest{
		Model: string(r.Model), Units: r.Units, Action: r.Action, Params: params, TimeoutMs: r.Timeout.Milliseconds(), Change: pbChange(r.Change),
	}))
}

// Exec implements Operations.
func (c operationsClient) Exec(ctx context.Context, r operator.Exec) ([]operator.Operation, error) {
	machines := make([]string, 0, len(r.Machines))
	for _, m := range r.Machines {
		machines = append(machines, string(m))
	}
	return readOperations(c.pb.Exec(ctx, &pb.ExecRequest{
		Model: string(r.Model), Units: r.Units, Machines: machines, Command: r.Command, TimeoutMs: r.Timeout.Milliseconds(), Change: pbChange(r.Change),
	}))
}

// ListOperations implements Operations.
func (c operationsClient) ListOperations(ctx context.Context, m model.ModelName) ([]operator.Operation, error) {
	return readOperations(c.pb.ListOperations(ctx, &pb.ListOperationsRequest{Model: string(m)}))
}

// ShowOperation implements Operations.
func (c operationsClient) ShowOperation(ctx context.Context, m model.ModelName, id string, wait bool) (operator.Operation, error) {
	list, err := readOperations(c.pb.ShowOperation(ctx, &pb.ShowOperationRequest{Model: string(m), Id: id, Wait: wait}))
	if err != nil || len(list) == 0 {
		return operator.Operation{}, err
	}
	return list[0], nil
}
