package wire

import (
	"context"

	"google.golang.org/grpc"

	"github.com/gantry-orchestrator/gantry/engine/wire/internal/pb"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

// Checks is how the control plane fares.
type Checks interface {
	// Health is what was found last by who leads.
	Health(ctx context.Context) (operator.Health, error)
}

// Vitals is what a controller measures of itself, for who leads.
type Vitals interface {
	Vitals(ctx context.Context) (operator.Vitals, error)
}

type healthServer struct {
	pb.UnimplementedHealthServer
	api Checks
}

// Health implements pb.HealthServer.
func (s healthServer) Health(ctx context.Context, _ *pb.HealthRequest) (*pb.HealthResponse, error) {
	health, err := s.api.Health(ctx)
	if err != nil {
		return nil, err
	}
	b, err := encode(health)
	return &pb.HealthResponse{Health: b}, err
}

type vitalsServer struct {
	pb.UnimplementedVitalsServer
	api Vitals
}

// Vitals implements pb.VitalsServer.
func (s vitalsServer) Vitals(ctx context.Context, _ *pb.VitalsRequest) (*pb.VitalsResponse, error) {
	vitals, err := s.api.Vitals(ctx)
	if err != nil {
		return nil, err
	}
	b, err := encode(vitals)
	return &pb.VitalsResponse{Vitals: b}, err
}

type healthClient struct{ pb pb.HealthClient }

// Health implements Checks.
func (c healthClient) Health(ctx context.Context) (operator.Health, error) {
	r, err := c.pb.Health(ctx, &pb.HealthRequest{})
	if err != nil {
		return operator.Health{}, err
	}
	return decode[operator.Health](r.Health)
}

// VitalsClient asks other controllers how they fare.
type VitalsClient struct{ pb pb.VitalsClient }

// NewVitalsClient speaks over a connection between controllers.
func NewVitalsClient(conn grpc.ClientConnInterface) *VitalsClient {
	return &VitalsClient{pb.NewVitalsClient(conn)}
}

// Vitals implements Vitals.
func (c *VitalsClient) Vitals(ctx context.Context) (operator.Vitals, error) {
	r, err := c.pb.Vitals(ctx, &pb.VitalsRequest{})
	if err != nil {
		return operator.Vitals{}, err
	}
	return decode[operator.Vitals](r.Vitals)
}
