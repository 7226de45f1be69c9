package controller

import (
	"context"
	"path/filepath"
	"time"

	"github.com/gantry-orchestrator/gantry/engine/controller/audit"
	"github.com/gantry-orchestrator/gantry/engine/state"
)

// auditLog opens this controller's record of requests.
func (r *root) auditLog() (*audit.Log, error) {
	return audit.Open(audit.Config{
		Dir: filepath.Join(r.Dir, "audit"), Controller: r.id, Now: time.Now,
		Anchored: func() (state.Anchor, bool) { return r.node.State().Audited(r.id) },
		Anchor:   r.anchor,
	})
}

// anchor commits how far the record of requests has come. It follows from
// requests that were answered: the solver has nothing to do with it.
func (r *root) anchor(ctx context.Context, at state.Anchor) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	outcomes, err := r.node.Propose(ctx, state.Command{
		Origin: state.Solver, Author: "controller/" + r.id, Ops: []state.Op{state.AnchorAudit{Controller: r.id, Anchor: at}},
	})
	if err != nil {
		return err
	}
	return outcomes[0].Err
}
