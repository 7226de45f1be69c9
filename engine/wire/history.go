package wire

import (
	"context"

	"google.golang.org/grpc"

	"github.com/gantry-orchestrator/gantry/engine/wire/internal/pb"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

// History tells what happened to a model. It may lag behind the model.
type History interface {
	ListHistory(ctx context.Context, q operator.HistoryQuery) (operator.Past, error)
	// ListEvents sends changes, oldest first, and with q.Follow goes on as more
	// are recorded, until send fails or ctx ends.
	ListEvents(ctx context.Context, q operator.HistoryQuery, send func([]operator.PastEvent) error) error
	StatusLog(ctx context.Context, q operator.HistoryQuery) ([]operator.StatusEntry, error)
	StatusAt(ctx context.Context, m model.ModelName, at operator.Moment) (operator.PastStatus, error)
	ListLines(ctx context.Context, q operator.LineQuery) (operator.PastLines, error)
}

// Queries reads the history's views in SQL, and decides what is kept.
type Queries interface {
	// Query sees the rows of s.Model alone, or of every model where it is empty.
	Query(ctx context.Context, s operator.Statement) (operator.ResultSet, error)
	ShowRetention(ctx context.Context) (operator.Retention, error)
	SetRetention(ctx context.Context, r operator.Retention) (operator.Retention, error)
}

// asked answers a request that carries a Q with what do returns.
func asked[Q, A any](r *pb.HistoryRequest, do func(Q) (A, error)) (*pb.HistoryResponse, error) {
	q, err := decode[Q](r.Query)
	if err != nil {
		return nil, err
	}
	answer, err := do(q)
	if err != nil {
		return nil, err
	}
	b, err := encode(answer)
	return &pb.HistoryResponse{Answer: b}, err
}

// ask is the client's side of asked.
func ask[Q, A any](
	ctx context.Context, m model.ModelName, q Q, call func(context.Context, *pb.HistoryRequest, ...grpc.CallOption) (*pb.HistoryResponse, error),
) (answer A, err error) {
	b, err := encode(q)
	if err != nil {
		return answer, err
	}
	r, err := call(ctx, &pb.HistoryRequest{Model: string(m), Query: b})
	if err != nil {
		return answer, err
	}
	return decode[A](r.Answer)
}

type historyServer struct {
	pb.UnimplementedHistoryServer
	api History
}

// ListHistory implements pb.HistoryServer.
func (s historyServer) ListHistory(ctx context.Context, r *pb.HistoryRequest) (*pb.HistoryResponse, error) {
	return asked(r, func(q operator.HistoryQuery) (operator.Past, error) {
		q.Model = model.ModelName(r.Model)
		return s.api.ListHistory(ctx, q)
	})
}

// ListEvents implements pb.HistoryServer.
func (s historyServer) ListEvents(r *pb.HistoryRequest, stream grpc.ServerStreamingServer[pb.HistoryResponse]) error {
	q, err := decode[operator.HistoryQuery](r.Query)
	if err != nil {
		return err
	}
	q.Model = model.ModelName(r.Model)
	return s.api.ListEvents(stream.Context(), q, func(list []operator.PastEvent) error {
		b, err := encode(list)
		if err != nil {
			return err
		}
		return stream.Send(&pb.HistoryResponse{Answer: b})
	})
}

// StatusLog implements pb.HistoryServer.
func (s historyServer) StatusLog(ctx context.Context, r *pb.HistoryRequest) (*pb.HistoryResponse, error) {
	return asked(r, func(q operator.HistoryQuery) ([]operator.StatusEntry, error) {
		q.Model = model.ModelName(r.Model)
		return s.api.StatusLog(ctx, q)
	})
}

// StatusAt implements pb.HistoryServer.
func (s historyServer) StatusAt(ctx context.Context, r *pb.HistoryRequest) (*pb.HistoryResponse, error) {
	return asked(r, func(at operator.Moment) (operator.PastStatus, error) {
		return s.api.StatusAt(ctx, model.ModelName(r.Model), at)
	})
}

// ListLines implements pb.HistoryServer.
func (s historyServer) ListLines(ctx context.Context, r *pb.HistoryRequest) (*pb.HistoryResponse, error) {
	return asked(r, func(q operator.LineQuery) (operator.PastLines, error) {
		q.Model = model.ModelName(r.Model)
		return s.api.ListLines(ctx, q)
	})
}

type historyClient struct{ pb pb.HistoryClient }

// ListHistory implements History.
func (c historyClient) ListHistory(ctx context.Context, q operator.HistoryQuery) (operator.Past, error) {
	return ask[operator.HistoryQuery, operator.Past](ctx, q.Model, q, c.pb.ListHistory)
}

// ListEvents implements History.
func (c historyClient) ListEvents(ctx context.Context, q operator.HistoryQuery, send func([]operator.PastEvent) error) error {
	b, err := encode(q)
	if err != nil {
		return err
	}
	return receive(ctx, func(ctx context.Context) (grpc.ServerStreamingClient[pb.HistoryResponse], error) {
		return c.pb.ListEvents(ctx, &pb.HistoryRequest{Model: string(q.Model), Query: b})
	}, func(r *pb.HistoryResponse) error {
		list, err := decode[[]operator.PastEvent](r.Answer)
		if err != nil {
			return err
		}
		return send(list)
	})
}

// StatusLog implements History.
func (c historyClient) StatusLog(ctx context.Context, q operator.HistoryQuery) ([]operator.StatusEntry, error) {
	return ask[operator.HistoryQuery, []operator.StatusEntry](ctx, q.Model, q, c.pb.StatusLog)
}

// StatusAt implements History.
func (c historyClient) StatusAt(ctx context.Context, m model.ModelName, at operator.Moment) (operator.PastStatus, error) {
	return ask[operator.Moment, operator.PastStatus](ctx, m, at, c.pb.StatusAt)
}

// ListLines implements History.
func (c historyClient) ListLines(ctx context.Context, q operator.LineQuery) (operator.PastLines, error) {
	return ask[operator.LineQuery, operator.PastLines](ctx, q.Model, q, c.pb.ListLines)
}
