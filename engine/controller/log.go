package controller

import (
	"context"

	"github.com/gantry-orchestrator/gantry/engine/api"
	"github.com/gantry-orchestrator/gantry/engine/consensus"
	"github.com/gantry-orchestrator/gantry/engine/state"
)

// replicated implements api.Log.
type replicated struct{ *consensus.Node }

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
