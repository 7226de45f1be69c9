package server

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"google.golang.org/grpc"

	"github.com/gantry-orchestrator/gantry/engine/api"
	"github.com/gantry-orchestrator/gantry/engine/wire"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

// audited records a request that is answered at once, after its answer.
func (g *guard) audited(ctx context.Context, request any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	who, err := g.identify(ctx)
	if err == nil {
		err = g.refusals.wait(who)
	}
	if err != nil {
		return nil, g.fail(ctx, info.FullMethod, err)
	}
	answer, err := handle(ctx, request)
	g.record(who, info.FullMethod, request, wire.IndexOf(answer), wire.Error(err))
	return answer, err
}

// begin admits the caller of a stream and records that it began, or that it
// was refused.
func (g *guard) begin(ctx context.Context, method string, request any) (context.Context, error) {
	who, err := g.identify(ctx)
	if err == nil {
		err = g.refusals.wait(who)
	}
	if err != nil {
		return nil, err
	}
	admitted, err := g.admit(ctx, method, request)
	g.record(who, method, request, 0, err)
	if err != nil {
		return nil, err
	}
	return g.Gate.Hold(admitted), nil
}

// record tells the audit log of a request. A caller that is refused over and
// over has a record of the first ones, and then of how many there were.
func (g *guard) record(who api.Identity, method string, request any, index uint64, err error) {
	r := operator.AuditRecord{Who: who.String(), Bearer: short(who.Fingerprint), Route: method, Outcome: operator.Allowed, Index: index}
	if m, named := wire.ModelOf(request); named == nil {
		r.Model = string(m)
	}
	switch {
	case err == nil:
	case errors.Is(err, model.ErrDenied), errors.Is(err, model.ErrFrozen):
		r.Outcome, r.Error = operator.Refused, clipped(err.Error())
		r.Repeats = g.refusals.add(who)
	default:
		r.Outcome, r.Error = operator.Failed, clipped(err.Error())
	}
	if g.Audit != nil {
		g.Audit(r)
	}
}

// maxErrorText bounds what a caller can have recorded at once.
const maxErrorText = 256

func clipped(text string) string {
	if len(text) > maxErrorText {
		return text[:maxErrorText] + "..."
	}
	return text
}

func short(fingerprint string) string {
	return fingerprint[:min(len(fingerprint), 16)]
}

// How often a caller may be refused: a burst, and then so many a second. Past
// that it is told to wait before anything is looked at or recorded.
const (
	refusalBurst = 200
	refusalRate  = 2.0
	maxRefused   = 10000 // callers that are remembered
)

// refusals bounds what a caller without the right can make the controller do.
type refusals struct {
	now func() time.Time
	mu  sync.Mutex
	by  map[string]*bucket // by fingerprint
}

type bucket struct {
	left   float64
	at     time.Time
	silent int // refusals that have no record of their own
}

func newRefusals(now func() time.Time) *refusals {
	return &refusals{now: now, by: map[string]*bucket{}}
}

func (r *refusals) of(who api.Identity) *bucket {
	now := r.now()
	b, ok := r.by[who.Fingerprint]
	if !ok {
		if len(r.by) >= maxRefused {
			clear(r.by)
		}
		b = &bucket{left: refusalBurst, at: now}
		r.by[who.Fingerprint] = b
	}
	b.left = min(refusalBurst, b.left+refusalRate*now.Sub(b.at).Seconds())
	b.at = now
	return b
}

// wait refuses who has been refused too often.
func (r *refusals) wait(who api.Identity) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.by[who.Fingerprint]; !ok {
		return nil
	}
	b := r.of(who)
	if b.left >= 1 {
		return nil
	}
	b.silent++
	return fmt.Errorf("%v: refused too often: wait a minute, and ask an administrator for access: %w", who, model.ErrUnavailable)
}

// add counts a refusal and returns how many before it had no record.
func (r *refusals) add(who api.Identity) (silent int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	b := r.of(who)
	b.left--
	silent, b.silent = b.silent, 0
	return silent
}
