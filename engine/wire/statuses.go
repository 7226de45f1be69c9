package wire

import (
	"context"
	"errors"
	"io"

	"google.golang.org/grpc"

	"github.com/gantry-orchestrator/gantry/engine/wire/internal/pb"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

// Statuses tells how a model fares, once or as it changes. The watches call
// send until it fails or ctx ends.
type Statuses interface {
	Status(ctx context.Context, m model.ModelName) (operator.Status, error)
	// WatchStatus sends the status once its index is past after, and again
	// after every change.
	WatchStatus(ctx context.Context, m model.ModelName, after uint64, send func(operator.Status) error) error
	// Watch sends the model's changes after an index, oldest first. It fails
	// with model.ErrNotFound where they are no longer kept: read the status and
	// watch from its index.
	Watch(ctx context.Context, m model.ModelName, after uint64, send func(operator.Event) error) error
	// Wait sends progress towards a revision, 0 for the current one, and ends
	// once the model has converged or a unit is blocked.
	Wait(ctx context.Context, m model.ModelName, revision uint64, send func(operator.Progress) error) error
}

type statusesServer struct {
	pb.UnimplementedStatusesServer
	api Statuses
}

// Status implements pb.StatusesServer.
func (s statusesServer) Status(ctx context.Context, r *pb.StatusRequest) (*pb.StatusResponse, error) {
	name, err := model.ParseModelName(r.Model)
	if err != nil {
		return nil, err
	}
	status, err := s.api.Status(ctx, name)
	if err != nil {
		return nil, err
	}
	b, err := encode(status)
	return &pb.StatusResponse{Status: b}, err
}

// WatchStatus implements pb.StatusesServer.
func (s statusesServer) WatchStatus(r *pb.WatchStatusRequest, stream grpc.ServerStreamingServer[pb.StatusResponse]) error {
	name, err := model.ParseModelName(r.Model)
	if err != nil {
		return err
	}
	return s.api.WatchStatus(stream.Context(), name, r.After, func(status operator.Status) error {
		b, err := encode(status)
		if err != nil {
			return err
		}
		return stream.Send(&pb.StatusResponse{Status: b})
	})
}

// Watch implements pb.StatusesServer.
func (s statusesServer) Watch(r *pb.WatchRequest, stream grpc.ServerStreamingServer[pb.Event]) error {
	name, err := model.ParseModelName(r.Model)
	if err != nil {
		return err
	}
	return s.api.Watch(stream.Context(), name, r.After, func(e operator.Event) error {
		return stream.Send(&pb.Event{Index: e.Index, Revision: e.Revision, Author: e.Author, Reason: e.Reason, Keys: e.Keys})
	})
}

// Wait implements pb.StatusesServer.
func (s statusesServer) Wait(r *pb.WaitRequest, stream grpc.ServerStreamingServer[pb.WaitResponse]) error {
	name, err := model.ParseModelName(r.Model)
	if err != nil {
		return err
	}
	return s.api.Wait(stream.Context(), name, r.Revision, func(p operator.Progress) error {
		b, err := encode(p)
		if err != nil {
			return err
		}
		return stream.Send(&pb.WaitResponse{Progress: b})
	})
}

type statusesClient struct{ pb pb.StatusesClient }

// Status implements Statuses.
func (c statusesClient) Status(ctx context.Context, m model.ModelName) (operator.Status, error) {
	r, err := c.pb.Status(ctx, &pb.StatusRequest{Model: string(m)})
	if err != nil {
		return operator.Status{}, err
	}
	return decode[operator.Status](r.Status)
}

// WatchStatus implements Statuses.
func (c statusesClient) WatchStatus(ctx context.Context, m model.ModelName, after uint64, send func(operator.Status) error) error {
	return receive(ctx, func(ctx context.Context) (grpc.ServerStreamingClient[pb.StatusResponse], error) {
		return c.pb.WatchStatus(ctx, &pb.WatchStatusRequest{Model: string(m), After: after})
	}, func(r *pb.StatusResponse) error {
		status, err := decode[operator.Status](r.Status)
		if err != nil {
			return err
		}
		return send(status)
	})
}

// Watch implements Statuses.
func (c statusesClient) Watch(ctx context.Context, m model.ModelName, after uint64, send func(operator.Event) error) error {
	return receive(ctx, func(ctx context.Context) (grpc.ServerStreamingClient[pb.Event], error) {
		return c.pb.Watch(ctx, &pb.WatchRequest{Model: string(m), After: after})
	}, func(e *pb.Event) error {
		return send(operator.Event{Index: e.Index, Revision: e.Revision, Author: e.Author, Reason: e.Reason, Keys: e.Keys})
	})
}

// Wait implements Statuses.
func (c statusesClient) Wait(ctx context.Context, m model.ModelName, revision uint64, send func(operator.Progress) error) error {
	return receive(ctx, func(ctx context.Context) (grpc.ServerStreamingClient[pb.WaitResponse], error) {
		return c.pb.Wait(ctx, &pb.WaitRequest{Model: string(m), Revision: revision})
	}, func(r *pb.WaitResponse) error {
		p, err := decode[operator.Progress](r.Progress)
		if err != nil {
			return err
		}
		return send(p)
	})
}

// receive opens a stream and hands on its messages until it ends, which is
// success, or until handle fails. The stream is gone when receive returns.
func receive[M any](ctx context.Context, open func(context.Context) (grpc.ServerStreamingClient[M], error), handle func(*M) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := open(ctx)
	if err != nil {
		return err
	}
	for {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := handle(m); err != nil {
			return err
		}
	}
}
