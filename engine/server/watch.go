package server

import (
	"context"
	"crypto/rand"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/gantry-orchestrator/gantry/engine/wire"
)

type requestKey struct{}

// requestID names a request in logs and in the answer: it is the caller's, so
// that both sides' logs fit together, or where it sent none, or nonsense, a new
// one.
func requestID(ctx context.Context) string {
	id, _ := ctx.Value(requestKey{}).(string)
	return id
}

func named(ctx context.Context) context.Context {
	md, _ := metadata.FromIncomingContext(ctx)
	id := strings.Join(md.Get(wire.HeaderRequest), "")
	if id == "" || len(id) > 64 || strings.ContainsFunc(id, unprintable) {
		id = rand.Text()[:12]
	}
	return context.WithValue(ctx, requestKey{}, id)
}

func unprintable(r rune) bool { return r <= ' ' || r > '~' }

// watchedUnary stands before everything else.
func (g *guard) watchedUnary(ctx context.Context, request any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (answer any, err error) {
	ctx = named(ctx)
	if g.Watch != nil {
		var ended func(error)
		ctx, ended = g.Watch(ctx, info.FullMethod, false)
		defer func() { ended(err) }()
	}
	g.Log.Debug("request", "method", info.FullMethod, "request", requestID(ctx))
	return handle(ctx, request)
}

func (g *guard) watchedStream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) (err error) {
	ctx := named(stream.Context())
	if g.Watch != nil {
		var ended func(error)
		ctx, ended = g.Watch(ctx, info.FullMethod, true)
		defer func() { ended(err) }()
	}
	g.Log.Debug("stream", "method", info.FullMethod, "request", requestID(ctx))
	return handle(srv, watchedServerStream{stream, ctx})
}

// watchedServerStream has the context of a watched request.
type watchedServerStream struct {
	grpc.ServerStream
	ctx context.Context
}

// Context implements grpc.ServerStream.
func (s watchedServerStream) Context() context.Context { return s.ctx }
