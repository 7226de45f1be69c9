package client

import (
	"context"
	"crypto/rand"

	"google.golang.org/grpc/metadata"

	"github.com/gantry-orchestrator/gantry/engine/observe/trace"
	"github.com/gantry-orchestrator/gantry/engine/wire"
)

// told names a request, and says what it is a part of where that is traced.
func told(ctx context.Context) context.Context {
	ctx = metadata.AppendToOutgoingContext(ctx, wire.HeaderRequest, rand.Text()[:12])
	if header := trace.Header(ctx); header != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, wire.HeaderTrace, header)
	}
	return ctx
}
