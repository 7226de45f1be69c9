package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"

	"github.com/gantry-orchestrator/gantry/engine/wire"
	"github.com/gantry-orchestrator/gantry/model"
)

// maxMessage bounds what a controller may send at once: the intents of a
// machine, or the status of a model.
const maxMessage = 64 << 20

// Client is an operator's connection.
type Client struct {
	wire.Operator
	conn *grpc.ClientConn
}

// Agent is a machine agent's connection.
type Agent struct {
	*wire.AgentClient
	conn *grpc.ClientConn
}

// Host is a host agent's connection.
type Host struct {
	*wire.HostClient
	conn *grpc.ClientConn
}

// Dial prepares an operator's connection, made at the first request. A
// controller that cannot be reached is model.ErrUnavailable then.
func Dial(c Context) (*Client, error) {
	conn, err := dial(c)
	if err != nil {
		return nil, err
	}
	return &Client{Operator: wire.NewOperatorClient(conn), conn: conn}, nil
}

// DialAgent prepares a machine agent's connection.
func DialAgent(c Context) (*Agent, error) {
	conn, err := dial(c)
	if err != nil {
		return nil, err
	}
	return &Agent{AgentClient: wire.NewAgentClient(conn), conn: conn}, nil
}

// DialHost prepares a host agent's connection.
func DialHost(c Context) (*Host, error) {
	conn, err := dial(c)
	if err != nil {
		return nil, err
	}
	return &Host{HostClient: wire.NewHostClient(conn), conn: conn}, nil
}

// Close ends the connection and what runs on it.
func (c *Client) Close() error { return c.conn.Close() }

// Close ends the connection and what runs on it.
func (a *Agent) Close() error { return a.conn.Close() }

// Close ends the connection and what runs on it.
func (h *Host) Close() error { return h.conn.Close() }

func dial(c Context) (*grpc.ClientConn, error) {
	config, err := c.tls()
	if err != nil {
		return nil, err
	}
	if len(c.Addresses) == 0 {
		return nil, fmt.Errorf("context names no address: run gantry up: %w", model.ErrInvalid)
	}
	controllers := manual.NewBuilderWithScheme("gantry")
	state := resolver.State{}
	for _, a := range c.Addresses {
		state.Endpoints = append(state.Endpoints, resolver.Endpoint{Addresses: []resolver.Address{{Addr: a}}})
	}
	controllers.InitialState(state)
	return grpc.NewClient("gantry:///"+ServerName,
		grpc.WithResolvers(controllers),
		grpc.WithTransportCredentials(credentials.NewTLS(config)),
		grpc.WithUnaryInterceptor(unaryErrors),
		grpc.WithStreamInterceptor(streamErrors),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage)),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 10 * time.Second, Timeout: 5 * time.Second}),
		grpc.WithConnectParams(grpc.ConnectParams{
			// Jitter spreads the agents of a controller that came back.
			Backoff:           backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.4, MaxDelay: 3 * time.Second},
			MinConnectTimeout: 2 * time.Second,
		}),
	)
}

// unaryErrors gives errors their class back.
func unaryErrors(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	return wire.Error(invoke(ctx, method, req, reply, cc, opts...))
}

func streamErrors(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, open grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	stream, err := open(ctx, desc, cc, method, opts...)
	if err != nil {
		return nil, wire.Error(err)
	}
	return classifiedStream{stream}, nil
}

// classifiedStream gives errors of a stream their class back.
type classifiedStream struct{ grpc.ClientStream }

// RecvMsg implements grpc.ClientStream.
func (s classifiedStream) RecvMsg(m any) error { return streamError(s.ClientStream.RecvMsg(m)) }

// SendMsg implements grpc.ClientStream.
func (s classifiedStream) SendMsg(m any) error { return streamError(s.ClientStream.SendMsg(m)) }

func streamError(err error) error {
	if errors.Is(err, io.EOF) {
		return err
	}
	return wire.Error(err)
}
