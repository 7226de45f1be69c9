package wire

import (
	"context"
	"fmt"
	"net/netip"

	"google.golang.org/grpc"

	"github.com/gantry-orchestrator/gantry/engine/wire/internal/pb"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/operator"
	"github.com/gantry-orchestrator/gantry/model/provision"
)

// Hosts is what the agent that makes machines on a host asks.
type Hosts interface {
	// Wanted sends what there should be, now and after every change of it.
	Wanted(ctx context.Context, provider string, send func(provision.Wanted) error) error
	// MachineReady says that a machine runs at an address of a network.
	MachineReady(ctx context.Context, uuid string, address netip.Addr, network netip.Prefix) error
	MachineLost(ctx context.Context, uuid, reason string) error
	MachineGone(ctx context.Context, uuid string, leftovers []string) error
	MachineProgress(ctx context.Context, uuid, text string) error
}

// Joins turns a token into an identity.
type Joins interface {
	// Redeem answers a token's secret, once, with a certificate for the key that
	// the certificate request names.
	Redeem(ctx context.Context, secret string, csr []byte) (operator.Credential, error)
}

type hostServer struct {
	pb.UnimplementedHostAgentServer
	api Hosts
}

// Wanted implements pb.HostAgentServer.
func (s hostServer) Wanted(r *pb.WantedRequest, stream grpc.ServerStreamingServer[pb.WantedResponse]) error {
	return s.api.Wanted(stream.Context(), r.Provider, func(w provision.Wanted) error {
		b, err := encode(w)
		if err != nil {
			return err
		}
		return stream.Send(&pb.WantedResponse{Wanted: b})
	})
}

// MachineReady implements pb.HostAgentServer.
func (s hostServer) MachineReady(ctx context.Context, r *pb.MachineReadyRequest) (*pb.MachineReadyResponse, error) {
	address, err := netip.ParseAddr(r.Address)
	if err != nil {
		return nil, fmt.Errorf("machine %s: %w: %w", r.Uuid, err, model.ErrInvalid)
	}
	network, err := netip.ParsePrefix(r.Cidr)
	if err != nil {
		return nil, fmt.Errorf("machine %s: %w: %w", r.Uuid, err, model.ErrInvalid)
	}
	return &pb.MachineReadyResponse{}, s.api.MachineReady(ctx, r.Uuid, address, network)
}

// MachineLost implements pb.HostAgentServer.
func (s hostServer) MachineLost(ctx context.Context, r *pb.MachineLostRequest) (*pb.MachineLostResponse, error) {
	return &pb.MachineLostResponse{}, s.api.MachineLost(ctx, r.Uuid, r.Reason)
}

// MachineGone implements pb.HostAgentServer.
func (s hostServer) MachineGone(ctx context.Context, r *pb.MachineGoneRequest) (*pb.MachineGoneResponse, error) {
	return &pb.MachineGoneResponse{}, s.api.MachineGone(ctx, r.Uuid, r.Leftovers)
}

// MachineProgress implements pb.HostAgentServer.
func (s hostServer) MachineProgress(ctx context.Context, r *pb.MachineProgressRequest) (*pb.MachineProgressResponse, error) {
	return &pb.MachineProgressResponse{}, s.api.MachineProgress(ctx, r.Uuid, r.Text)
}

type joinServer struct {
	pb.UnimplementedJoinServer
	api Joins
}

// Redeem implements pb.JoinServer.
func (s joinServer) Redeem(ctx context.Context, r *pb.RedeemRequest) (*pb.RedeemResponse, error) {
	credential, err := s.api.Redeem(ctx, r.Secret, r.Csr)
	if err != nil {
		return nil, err
	}
	return &pb.RedeemResponse{Certificate: credential.Certificate, Ca: credential.CA}, nil
}

// HostClient is the host agent's end. It implements Hosts.
type HostClient struct{ pb pb.HostAgentClient }

// NewHostClient speaks for a host agent over a connection.
func NewHostClient(conn grpc.ClientConnInterface) *HostClient {
	return &HostClient{pb.NewHostAgentClient(conn)}
}

// Wanted implements Hosts.
func (c *HostClient) Wanted(ctx context.Context, provider string, send func(provision.Wanted) error) error {
	return receive(ctx, func(ctx context.Context) (grpc.ServerStreamingClient[pb.WantedResponse], error) {
		return c.pb.Wanted(ctx, &pb.WantedRequest{Provider: provider})
	}, func(r *pb.WantedResponse) error {
		w, err := decode[provision.Wanted](r.Wanted)
		if err != nil {
			return err
		}
		return send(w)
	})
}

// MachineReady implements Hosts.
func (c *HostClient) MachineReady(ctx context.Context, uuid string, address netip.Addr, network netip.Prefix) error {
	_, err := c.pb.MachineReady(ctx, &pb.MachineReadyRequest{Uuid: uuid, Address: address.String(), Cidr: network.String()})
	return err
}

// MachineLost implements Hosts.
func (c *HostClient) MachineLost(ctx context.Context, uuid, reason string) error {
	_, err := c.pb.MachineLost(ctx, &pb.MachineLostRequest{Uuid: uuid, Reason: reason})
	return err
}

// MachineGone implements Hosts.
func (c *HostClient) MachineGone(ctx context.Context, uuid string, leftovers []string) error {
	_, err := c.pb.MachineGone(ctx, &pb.MachineGoneRequest{Uuid: uuid, Leftovers: leftovers})
	return err
}

// MachineProgress implements Hosts.
func (c *HostClient) MachineProgress(ctx context.Context, uuid, text string) error {
	_, err := c.pb.MachineProgress(ctx, &pb.MachineProgressRequest{Uuid: uuid, Text: text})
	return err
}

// JoinClient is the joining agent's end. It implements Joins.
type JoinClient struct{ pb pb.JoinClient }

// NewJoinClient speaks for a joining agent over a connection.
func NewJoinClient(conn grpc.ClientConnInterface) *JoinClient {
	return &JoinClient{pb.NewJoinClient(conn)}
}

// Redeem implements Joins.
func (c *JoinClient) Redeem(ctx context.Context, secret string, csr []byte) (operator.Credential, error) {
	r, err := c.pb.Redeem(ctx, &pb.RedeemRequest{Secret: secret, Csr: csr})
	return operator.Credential{Certificate: r.GetCertificate(), CA: r.GetCa()}, err
}
