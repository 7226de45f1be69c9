package server

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/gantry-orchestrator/gantry/engine/api"
	"github.com/gantry-orchestrator/gantry/engine/wire"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

// maxMessage bounds what a caller may send at once.
const maxMessage = 16 << 20

// Thousands of connections are idle nearly all the time. Each has the buffer
// that it reads by of its own, and what is longer is read past it; that which it
// writes by is of a pool that all share.
const (
	readBuffer  = 4 << 10
	writeBuffer = 8 << 10
)

// Gate decides whether a caller may make a request; its context carries the
// decision on.
type Gate interface {
	Admit(ctx context.Context, who api.Identity, access api.Access, m model.ModelName) (context.Context, error)
	// Hold makes a context of an admitted one that ends when what a stream was
	// admitted for is taken from its caller.
	Hold(ctx context.Context) context.Context
}

// Config is what a server needs.
type Config struct {
	TLS      credentials.TransportCredentials // of connections that have done mutual TLS 1.3
	Standing func() Standing
	Undone   func(error) bool                              // the error is of who does not lead, and nothing was done
	Identify func(*x509.Certificate) (api.Identity, error) // of a verified certificate
	Gate     Gate
	Handlers wire.Handlers
	Audit    func(operator.AuditRecord) // of every request; may be nil
	// Watch is called as a request begins, and what it returns as it ends. It may
	// be nil.
	Watch func(ctx context.Context, method string, stream bool) (context.Context, func(error))
	Log   *slog.Logger
}

// accesses says what each declared permission needs.
var accesses = map[wire.Access]api.Access{
	wire.Login: api.Login, wire.ModelRead: api.Read, wire.ModelWrite: api.Write, wire.ModelAdmin: api.Admin,
	wire.ControllerAdmin: api.Superuser, wire.Agent: api.Agent, wire.HostAgent: api.Host, wire.Join: api.Join, wire.Peer: api.Peer,
	wire.AddModels: api.AddModels,
}

// New makes a server. It refuses a configuration without a handshake, and a
// method that declares no permission.
func New(c Config) (*grpc.Server, error) {
	if c.TLS == nil || c.TLS.Info().SecurityProtocol != "tls" {
		return nil, fmt.Errorf("serve: mutual TLS is required: %w", model.ErrInvalid)
	}
	g := &guard{Config: c, refusals: newRefusals(time.Now)}
	s := grpc.NewServer(
		grpc.Creds(c.TLS),
		grpc.ChainUnaryInterceptor(g.watchedUnary, g.audited, g.unary),
		grpc.ChainStreamInterceptor(g.watchedStream, g.stream),
		grpc.MaxRecvMsgSize(maxMessage),
		grpc.InitialWindowSize(wire.Window), grpc.InitialConnWindowSize(wire.Window),
		grpc.ReadBufferSize(readBuffer), grpc.WriteBufferSize(writeBuffer),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: 10 * time.Second, Timeout: 5 * time.Second}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 5 * time.Second, PermitWithoutStream: true}),
	)
	wire.Register(s, c.Handlers)
	var err error
	if g.methods, err = wire.Methods(s.GetServiceInfo()); err != nil {
		return nil, fmt.Errorf("serve: %w", err)
	}
	return s, nil
}

// guard stands before every method.
type guard struct {
	Config
	methods  map[string]wire.Method
	refusals *refusals
}

func (g *guard) unary(ctx context.Context, request any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	asked, said, err := g.stand(ctx, info.FullMethod)
	if err == nil {
		asked, err = g.admit(asked, info.FullMethod, request)
	}
	if err == nil {
		var answer any
		if answer, err = handle(asked, request); err == nil {
			_ = grpc.SetHeader(ctx, said) // fails only where the caller has gone
			return answer, nil
		}
	}
	_ = grpc.SetTrailer(ctx, g.hint(err))
	return nil, g.fail(ctx, info.FullMethod, err)
}

// stream admits at once who needs no model, and else with the first message,
// which names it: nothing is handled before.
func (g *guard) stream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
	ctx, said, err := g.stand(stream.Context(), info.FullMethod)
	guarded := &guardedStream{ServerStream: stream, guard: g, method: info.FullMethod, ctx: ctx}
	if err == nil && !g.methods[info.FullMethod].Access.OfModel() {
		guarded.ctx, err = g.begin(ctx, info.FullMethod, nil)
		guarded.admitted = true
	}
	if err == nil {
		// At once: it tells the caller that who leads has taken the stream.
		err = stream.SendHeader(said)
	}
	if err == nil {
		err = guarded.ended(handle(srv, guarded))
	}
	if err != nil {
		stream.SetTrailer(g.hint(err))
		return g.fail(stream.Context(), info.FullMethod, err)
	}
	return nil
}

// fail maps an error to the wire; what has no class is a fault of ours.
func (g *guard) fail(ctx context.Context, method string, err error) error {
	err = wire.Status(err)
	if c := status.Code(err); c == codes.Internal || c == codes.Unknown {
		id := requestID(ctx)
		g.Log.Error("request failed", "method", method, "request", id, "error", err)
		return status.Errorf(c, "%s (request %s in the log of the controller)", status.Convert(err).Message(), id)
	}
	return err
}

func (g *guard) admit(ctx context.Context, method string, request any) (context.Context, error) {
	m, ok := g.methods[method]
	access, known := accesses[m.Access]
	if !ok || !known {
		return nil, fmt.Errorf("method %s: not served: %w", method, model.ErrDenied)
	}
	who, err := g.identify(ctx)
	if err != nil {
		return nil, err
	}
	var of model.ModelName
	if m.Access.OfModel() {
		if of, err = wire.ModelOf(request); err != nil {
			return nil, err
		}
	}
	return g.Gate.Admit(ctx, who, access, of)
}

func (g *guard) identify(ctx context.Context) (api.Identity, error) {
	if p, ok := peer.FromContext(ctx); ok {
		if info, ok := p.AuthInfo.(credentials.TLSInfo); ok && len(info.State.VerifiedChains) > 0 {
			certificate := info.State.VerifiedChains[0][0]
			if time.Now().After(certificate.NotAfter) {
				return api.Identity{}, fmt.Errorf("the certificate expired on %v: log in again: %w", certificate.NotAfter, model.ErrDenied)
			}
			return g.Identify(certificate)
		}
	}
	return api.Identity{}, fmt.Errorf("no verified certificate: %w", model.ErrDenied)
}

// guardedStream admits its caller with the first message.
type guardedStream struct {
	grpc.ServerStream
	guard    *guard
	method   string
	ctx      context.Context
	admitted bool
}

// Context implements grpc.ServerStream.
func (s *guardedStream) Context() context.Context { return s.ctx }

// RecvMsg implements grpc.ServerStream.
func (s *guardedStream) RecvMsg(m any) error {
	if err := s.ServerStream.RecvMsg(m); err != nil {
		return err
	}
	if s.admitted {
		return context.Cause(s.ctx) // what was admitted may have been taken since
	}
	ctx, err := s.guard.begin(s.ctx, s.method, m)
	if err != nil {
		return wire.Status(err)
	}
	s.ctx, s.admitted = ctx, true
	return nil
}

// ended is why a stream ended: that its caller's rights were taken says more
// than that it was cut off.
func (s *guardedStream) ended(err error) error {
	if cause := context.Cause(s.ctx); err != nil && errors.Is(cause, model.ErrDenied) {
		return cause
	}
	return err
}
