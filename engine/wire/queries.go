package wire

import (
	"context"

	"github.com/gantry-orchestrator/gantry/engine/wire/internal/pb"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

type queriesServer struct {
	pb.UnimplementedQueriesServer
	api Queries
}

// Query implements pb.QueriesServer.
func (s queriesServer) Query(ctx context.Context, r *pb.HistoryRequest) (*pb.HistoryResponse, error) {
	return s.query(ctx, model.ModelName(r.Model), r)
}

// QueryAll implements pb.QueriesServer.
func (s queriesServer) QueryAll(ctx context.Context, r *pb.HistoryRequest) (*pb.HistoryResponse, error) {
	return s.query(ctx, "", r)
}

func (s queriesServer) query(ctx context.Context, m model.ModelName, r *pb.HistoryRequest) (*pb.HistoryResponse, error) {
	return asked(r, func(q operator.Statement) (operator.ResultSet, error) {
		q.Model = m
		return s.api.Query(ctx, q)
	})
}

// ShowRetention implements pb.QueriesServer.
func (s queriesServer) ShowRetention(ctx context.Context, r *pb.HistoryRequest) (*pb.HistoryResponse, error) {
	return asked(r, func(struct{}) (operator.Retention, error) { return s.api.ShowRetention(ctx) })
}

// SetRetention implements pb.QueriesServer.
func (s queriesServer) SetRetention(ctx context.Context, r *pb.HistoryRequest) (*pb.HistoryResponse, error) {
	return asked(r, func(q operator.Retention) (operator.Retention, error) { return s.api.SetRetention(ctx, q) })
}

type queriesClient struct{ pb pb.QueriesClient }

// Query implements Queries.
func (c queriesClient) Query(ctx context.Context, s operator.Statement) (operator.ResultSet, error) {
	if s.Model == "" {
		return ask[operator.Statement, operator.ResultSet](ctx, "", s, c.pb.QueryAll)
	}
	return ask[operator.Statement, operator.ResultSet](ctx, s.Model, s, c.pb.Query)
}

// ShowRetention implements Queries.
func (c queriesClient) ShowRetention(ctx context.Context) (operator.Retention, error) {
	return ask[struct{}, operator.Retention](ctx, "", struct{}{}, c.pb.ShowRetention)
}

// SetRetention implements Queries.
func (c queriesClient) SetRetention(ctx context.Context, r operator.Retention) (operator.Retention, error) {
	return ask[operator.Retention, operator.Retention](ctx, "", r, c.pb.SetRetention)
}
