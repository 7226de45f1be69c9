package server

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"

	"github.com/gantry-orchestrator/gantry/engine/api"
	"github.com/gantry-orchestrator/gantry/engine/wire"
	"github.com/gantry-orchestrator/gantry/model"
)

// Standing is how a controller stands among the others.
type Standing struct {
	Leads       bool
	Leader      string   // host:port of who leads; "" where nobody is known to
	Controllers []string // host:port of all
	Index       uint64   // of what this one knows
	Epoch       model.Epoch
	Alone       string // since when, and with whom out of reach, nobody leads; "" while that may still pass
}

// stand decides whether this controller is the one to answer a method, and
// what it says beside the answer. Who does not lead refers to who does. While
// nobody leads it answers from what it knows, and says so, where the method
// only reads.
func (g *guard) stand(ctx context.Context, method string) (context.Context, metadata.MD, error) {
	now, m := g.Standing(), g.methods[method]
	if p, ok := peer.FromContext(ctx); ok && p.LocalAddr != nil {
		ctx = api.ReachedAt(ctx, p.LocalAddr.String())
	}
	said := metadata.MD{}
	if len(now.Controllers) > 1 {
		said.Set(wire.HeaderControllers, strings.Join(now.Controllers, ","))
	}
	if !now.Epoch.IsZero() {
		said.Set(wire.HeaderEpoch, now.Epoch.String())
	}
	if err := superseded(ctx, now.Epoch); err != nil {
		return ctx, said, err
	}
	switch {
	case now.Leads:
		return ctx, said, nil
	case m.Access == wire.Peer: // about, or for, this very controller
		return api.Stale(ctx), said, nil
	case now.Leader == "" && now.Alone != "" && m.Read:
		said.Set(wire.HeaderStale, fmt.Sprintf("index %d, %s", now.Index, now.Alone))
		return api.Stale(ctx), said, nil
	case now.Leader != "":
		return ctx, said, fmt.Errorf("%w: %s does", errNotLeading, now.Leader)
	case now.Alone != "":
		return ctx, said, fmt.Errorf("nothing was changed, %s: %w", now.Alone, errNotLeading)
	default:
		return ctx, said, fmt.Errorf("%w: an election is under way", errNotLeading)
	}
}

// hint says who leads beside a refusal for want of leadership, from which the
// caller knows that nothing was done.
func (g *guard) hint(err error) metadata.MD {
	now := g.Standing()
	said := metadata.MD{}
	if len(now.Controllers) > 1 {
		said.Set(wire.HeaderControllers, strings.Join(now.Controllers, ","))
	}
	if errors.Is(err, errNotLeading) || g.Undone(err) {
		said.Set(wire.HeaderLeader, now.Leader)
	}
	return said
}

// errNotLeading is of a controller that refuses for want of leadership.
var errNotLeading = fmt.Errorf("this controller does not lead: %w", model.ErrUnavailable)
