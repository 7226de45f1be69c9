package controller

import (
	"context"

	"github.com/gantry-orchestrator/gantry/engine/api"
	"github.com/gantry-orchestrator/gantry/engine/consensus"
	"github.com/gantry-orchestrator/gantry/engine/observe/trace"
	"github.com/gantry-orchestrator/gantry/engine/state"
)

// replicated implements api.Log.
type replicated struct {
	*consensus.Node
	tracer *trace.Tracer
}

// Propose implements api.Log. What is traced is known by its revision from
// here on.
func (r replicated) Propose(ctx context.Context, commands ...state.Command) (outcomes []state.Outcome, err error) {
	ctx, end := r.tracer.Part(ctx, "commit")
	defer func() { end(err) }()
	for _, c := range commands {
		r.tracer.Expect(ctx, c.Key)
	}
	outcomes, err = r.Node.Propose(ctx, commands...)
	for _, o := range outcomes {
		if o.Err == nil {
			trace.Say(ctx, "revision", o.Result.Revision)
			trace.Say(ctx, "index", o.Result.Index)
		}
	}
	return outcomes, err
}

// Read implements api.Log. A request that is answered as stale gets what is
// known here.
func (r replicated) Read(ctx context.Context) (state.State, error) {
	if api.IsStale(ctx) {
		return r.State(), nil
	}
	return r.Node.Read(ctx)
}

// Changes implements api.Log.
func (r replicated) Changes(ctx context.Context, index uint64) ([]api.Change, uint64, error) {
	changes, next, err := r.Node.Changes(ctx, index)
	if err != nil {
		return nil, next, err
	}
	out := make([]api.Change, 0, len(changes))
	for _, c := range changes {
		out = append(out, api.Change{Index: c.Index, Revision: c.Revision, Author: c.Author, Reason: c.Reason, Keys: c.Keys})
	}
	return out, next, nil
}
