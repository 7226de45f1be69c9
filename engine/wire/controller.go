package wire

import (
	"context"

	"google.golang.org/grpc"

	"github.com/gantry-orchestrator/gantry/engine/wire/internal/pb"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

// Controller is about the controller itself.
type Controller interface {
	Info(ctx context.Context) (operator.ControllerInfo, error)
	// Shutdown ends the controller once the answer is on its way.
	Shutdown(ctx context.Context) error
}

// Logs is about what agents and services wrote.
type Logs interface {
	// DebugLog sends the lines that a query selects, oldest first.
	DebugLog(ctx context.Context, q operator.LogQuery, send func([]effect.LogLine) error) error
}

type controllerServer struct {
	pb.UnimplementedControllerServer
	api Controller
}

// Info implements pb.ControllerServer.
func (s controllerServer) Info(ctx context.Context, _ *pb.InfoRequest) (*pb.InfoResponse, error) {
	info, err := s.api.Info(ctx)
	if err != nil {
		return nil, err
	}
	b, err := encode(info)
	return &pb.InfoResponse{Info: b}, err
}

// Shutdown implements pb.ControllerServer.
func (s controllerServer) Shutdown(ctx context.Context, _ *pb.ShutdownRequest) (*pb.ShutdownResponse, error) {
	return &pb.ShutdownResponse{}, s.api.Shutdown(ctx)
}

type logsServer struct {
	pb.UnimplementedLogsServer
	api Logs
}

// DebugLog implements pb.LogsServer.
func (s logsServer) DebugLog(r *pb.DebugLogRequest, stream grpc.ServerStreamingServer[pb.DebugLogResponse]) error {
	q := operator.LogQuery{Lines: int(r.Lines), Follow: r.Follow}
	var err error
	if q.Model, err = model.ParseModelName(r.Model); err != nil {
		return err
	}
	if q.Units, err = names(r.Units, model.ParseUnitName); err != nil {
		return err
	}
	if q.Machines, err = names(r.Machines, model.ParseMachineName); err != nil {
		return err
	}
	return s.api.DebugLog(stream.Context(), q, func(lines []effect.LogLine) error {
		out := &pb.DebugLogResponse{}
		for _, line := range lines {
			b, err := encode(line)
			if err != nil {
				return err
			}
			out.Lines = append(out.Lines, b)
		}
		return stream.Send(out)
	})
}

type controllerClient struct{ pb pb.ControllerClient }

// Info implements Controller.
func (c controllerClient) Info(ctx context.Context) (operator.ControllerInfo, error) {
	r, err := c.pb.Info(ctx, &pb.InfoRequest{})
	if err != nil {
		return operator.ControllerInfo{}, err
	}
	return decode[operator.ControllerInfo](r.Info)
}

// Shutdown implements Controller.
func (c controllerClient) Shutdown(ctx context.Context) error {
	_, err := c.pb.Shutdown(ctx, &pb.ShutdownRequest{})
	return err
}

type logsClient struct{ pb pb.LogsClient }

// DebugLog implements Logs.
func (c logsClient) DebugLog(ctx context.Context, q operator.LogQuery, send func([]effect.LogLine) error) error {
	machines := make([]string, 0, len(q.Machines))
	for _, m := range q.Machines {
		machines = append(machines, string(m))
	}
	return receive(ctx, func(ctx context.Context) (grpc.ServerStreamingClient[pb.DebugLogResponse], error) {
		return c.pb.DebugLog(ctx, &pb.DebugLogRequest{
			Model: string(q.Model), Units: texts(q.Units), Machines: machines, Lines: uint32(q.Lines), Follow: q.Follow,
		})
	}, func(r *pb.DebugLogResponse) error {
		lines := make([]effect.LogLine, 0, len(r.Lines))
		for _, b := range r.Lines {
			line, err := decode[effect.LogLine](b)
			if err != nil {
				return err
			}
			lines = append(lines, line)
		}
		return send(lines)
	})
}
