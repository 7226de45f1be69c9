package client

import (
	"context"
	"slices"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/gantry-orchestrator/gantry/engine/wire"
	"github.com/gantry-orchestrator/gantry/model"
)

// ages tells a controller the highest epoch that was heard of: one that a
// restore superseded refuses then, whatever it believes.
func (r *route) ages() []grpc.DialOption {
	tell := func(ctx context.Context) context.Context {
		ctx = told(ctx)
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.epoch.IsZero() {
			return ctx
		}
		return metadata.AppendToOutgoingContext(ctx, wire.HeaderEpoch, r.epoch.String())
	}
	return []grpc.DialOption{
		grpc.WithChainUnaryInterceptor(func(ctx context.Context, method string, req, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
			return invoke(tell(ctx), method, req, reply, conn, opts...)
		}),
		grpc.WithChainStreamInterceptor(func(ctx context.Context, desc *grpc.StreamDesc, conn *grpc.ClientConn, method string, open grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
			return open(tell(ctx), desc, conn, method, opts...)
		}),
	}
}

// age takes the epoch beside an answer, where it is higher than what was heard
// of. The caller holds the lock.
func (r *route) age(header metadata.MD) {
	said, err := model.ParseEpoch(strings.Join(header.Get(wire.HeaderEpoch), ""))
	if err != nil || said == r.epoch || !said.Obeys(r.epoch) {
		return
	}
	r.epoch = said
	if r.aged != nil {
		r.aged(said)
	}
}

// give replaces the addresses that the context gave. What was heard of from a
// controller stays. Where the epoch is news all connections end: they may be to
// controllers that it supersedes.
func (r *route) give(addresses []string, e model.Epoch) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.given, r.preferred = slices.Clone(addresses), ""
	if e == r.epoch || !e.Obeys(r.epoch) {
		return
	}
	r.epoch = e
	if r.aged != nil {
		r.aged(e)
	}
	for _, c := range r.conns {
		_ = c.Close() // fails only where it is closed
	}
	clear(r.conns)
}

// Readdress has the agent look for controllers at other addresses from now on,
// and obey none of an epoch below the given one.
func (a *Agent) Readdress(addresses []string, e model.Epoch) { a.conn.give(addresses, e) }

// age keeps the epoch in the file that the context is from, like learn.
func (c Context) age(e model.Epoch) {
	if c.file == "" {
		return
	}
	if kept, err := Load(c.file); err == nil && kept.Epoch != e.String() {
		kept.Epoch = e.String()
		_ = kept.Save(c.file)
	}
}
