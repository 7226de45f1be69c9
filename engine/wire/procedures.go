package wire

import (
	"context"

	"github.com/gantry-orchestrator/gantry/engine/wire/internal/pb"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

// Turns is about permissions to disrupt.
type Turns interface {
	ListTurns(ctx context.Context, m model.ModelName) ([]operator.Turn, error)
	RevokeTurn(ctx context.Context, r operator.RevokeTurn) (operator.Committed, error)
}

// Tasks is about application tasks whose outcome a person must decide.
type Tasks interface {
	ListTasks(ctx context.Context, m model.ModelName) ([]operator.Task, error)
	ResolveTask(ctx context.Context, r operator.ResolveTask) (operator.Committed, error)
}

// Orders is about staged procedures.
type Orders interface {
	ListOrders(ctx context.Context, m model.ModelName) ([]operator.Order, error)
	StartOrder(ctx context.Context, r operator.StartOrder) (operator.OrderStarted, error)
	CancelOrder(ctx context.Context, r operator.CancelOrder) (operator.Committed, error)
}

type turnsServer struct {
	pb.UnimplementedTurnsServer
	api Turns
}

// ListTurns implements pb.TurnsServer.
func (s turnsServer) ListTurns(ctx context.Context, r *pb.ListTurnsRequest) (*pb.ListTurnsResponse, error) {
	b, err := list(ctx, r.Model, s.api.ListTurns)
	return &pb.ListTurnsResponse{Turns: b}, err
}

// list answers a query of a whole model with the JSON of its list.
func list[T any](ctx context.Context, modelText string, query func(context.Context, model.ModelName) ([]T, error)) ([]byte, error) {
	m, err := model.ParseModelName(modelText)
	if err != nil {
		return nil, err
	}
	out, err := query(ctx, m)
	if err != nil {
		return nil, err
	}
	return encode(out)
}

// RevokeTurn implements pb.TurnsServer.
func (s turnsServer) RevokeTurn(ctx context.Context, r *pb.RevokeTurnRequest) (*pb.Committed, error) {
	m, err := model.ParseModelName(r.Model)
	if err != nil {
		return nil, err
	}
	u, err := model.ParseUnitName(r.Unit)
	if err != nil {
		return nil, err
	}
	return answerCommitted(s.api.RevokeTurn(ctx, operator.RevokeTurn{Change: changeOf(r.Change), Model: m, Unit: u, Turn: r.Turn}))
}

type tasksServer struct {
	pb.UnimplementedTasksServer
	api Tasks
}

// ListTasks implements pb.TasksServer.
func (s tasksServer) ListTasks(ctx context.Context, r *pb.ListTasksRequest) (*pb.ListTasksResponse, error) {
	b, err := list(ctx, r.Model, s.api.ListTasks)
	return &pb.ListTasksResponse{Tasks: b}, err
}

// ResolveTask implements pb.TasksServer.
func (s tasksServer) ResolveTask(ctx context.Context, r *pb.ResolveTaskRequest) (*pb.Committed, error) {
	task := operator.ResolveTask{Change: changeOf(r.Change), Task: r.Task, Key: r.Key, Done: r.Done}
	var err error
	if r.Unit == "" {
		task.Model, task.Application, err = inModel(r.Model, r.Application)
	} else if task.Unit, err = model.ParseUnitName(r.Unit); err == nil {
		task.Model, err = model.ParseModelName(r.Model)
	}
	if err != nil {
		return nil, err
	}
	return answerCommitted(s.api.ResolveTask(ctx, task))
}

type ordersServer struct {
	pb.UnimplementedOrdersServer
	api Orders
}

// ListOrders implements pb.OrdersServer.
func (s ordersServer) ListOrders(ctx context.Context, r *pb.ListOrdersRequest) (*pb.ListOrdersResponse, error) {
	b, err := list(ctx, r.Model, s.api.ListOrders)
	return &pb.ListOrdersResponse{Orders: b}, err
}

// StartOrder implements pb.OrdersServer.
func (s ordersServer) StartOrder(ctx context.Context, r *pb.StartOrderRequest) (*pb.StartOrderResponse, error) {
	m, a, err := inModel(r.Model, r.Application)
	if err != nil {
		return nil, err
	}
	started, err := s.api.StartOrder(ctx, operator.StartOrder{Change: changeOf(r.Change), Model: m, Application: a, Name: r.Name, Params: r.Params})
	if err != nil {
		return nil, err
	}
	return &pb.StartOrderResponse{Committed: pbCommitted(started.Committed), Id: started.ID}, nil
}

// CancelOrder implements pb.OrdersServer.
func (s ordersServer) CancelOrder(ctx context.Context, r *pb.CancelOrderRequest) (*pb.Committed, error) {
	m, a, err := inModel(r.Model, r.Application)
	if err != nil {
		return nil, err
	}
	return answerCommitted(s.api.CancelOrder(ctx, operator.CancelOrder{Change: changeOf(r.Change), Model: m, Application: a, ID: r.Id}))
}

type turnsClient struct{ pb pb.TurnsClient }

// ListTurns implements Turns.
func (c turnsClient) ListTurns(ctx context.Context, m model.ModelName) ([]operator.Turn, error) {
	r, err := c.pb.ListTurns(ctx, &pb.ListTurnsRequest{Model: string(m)})
	if err != nil {
		return nil, err
	}
	return decode[[]operator.Turn](r.Turns)
}

// RevokeTurn implements Turns.
func (c turnsClient) RevokeTurn(ctx context.Context, r operator.RevokeTurn) (operator.Committed, error) {
	return readCommitted(c.pb.RevokeTurn(ctx, &pb.RevokeTurnRequest{
		Model: string(r.Model), Unit: r.Unit.String(), Turn: r.Turn, Change: pbChange(r.Change),
	}))
}

type tasksClient struct{ pb pb.TasksClient }

// ListTasks implements Tasks.
func (c tasksClient) ListTasks(ctx context.Context, m model.ModelName) ([]operator.Task, error) {
	r, err := c.pb.ListTasks(ctx, &pb.ListTasksRequest{Model: string(m)})
	if err != nil {
		return nil, err
	}
	return decode[[]operator.Task](r.Tasks)
}

// ResolveTask implements Tasks.
func (c tasksClient) ResolveTask(ctx context.Context, r operator.ResolveTask) (operator.Committed, error) {
	task := &pb.ResolveTaskRequest{
		Model: string(r.Model), Application: string(r.Application), Task: r.Task, Key: r.Key, Done: r.Done, Change: pbChange(r.Change),
	}
	if r.Unit != (model.UnitName{}) {
		task.Unit = r.Unit.String()
	}
	return readCommitted(c.pb.ResolveTask(ctx, task))
}

type ordersClient struct{ pb pb.OrdersClient }

// ListOrders implements Orders.
func (c ordersClient) ListOrders(ctx context.Context, m model.ModelName) ([]operator.Order, error) {
	r, err := c.pb.ListOrders(ctx, &pb.ListOrdersRequest{Model: string(m)})
	if err != nil {
		return nil, err
	}
	return decode[[]operator.Order](r.Orders)
}

// StartOrder implements Orders.
func (c ordersClient) StartOrder(ctx context.Context, r operator.StartOrder) (operator.OrderStarted, error) {
	answer, err := c.pb.StartOrder(ctx, &pb.StartOrderRequest{
		Model: string(r.Model), Application: string(r.Application), Name: r.Name, Params: r.Params, Change: pbChange(r.Change),
	})
	return operator.OrderStarted{Committed: committedOf(answer.GetCommitted()), ID: answer.GetId()}, err
}

// CancelOrder implements Orders.
func (c ordersClient) CancelOrder(ctx context.Context, r operator.CancelOrder) (operator.Committed, error) {
	return readCommitted(c.pb.CancelOrder(ctx, &pb.CancelOrderRequest{
		Model: string(r.Model), Application: string(r.Application), Id: r.ID, Change: pbChange(r.Change),
	}))
}
