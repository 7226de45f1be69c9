package state

import (
	"fmt"
	"maps"

	"github.com/gantry-orchestrator/gantry/model"
)

// Anchor is how far an audit log has come: its last record, and the first that
// its retention keeps.
type Anchor struct {
	Sequence uint64 `json:"sequence"`
	Hash     string `json:"hash"` // of the chain at Sequence, hex
	First    uint64 `json:"first,omitempty"`
}

// anchors are those of the controllers, by ID. One map is never written once
// it is in a state.
type anchors map[string]Anchor

// maxAnchors bounds how many controllers' anchors are kept.
const maxAnchors = 64

// Audited returns how far the audit log of a controller was when that was last
// committed.
func (s State) Audited(controller string) (Anchor, bool) {
	a, ok := s.head.Audits[controller]
	return a, ok
}

func (o AnchorAudit) summary() string { return "anchor the audit log of " + o.Controller }

func (o AnchorAudit) apply(w *writer) error {
	if err := plain("anchor", o.Controller, o.Anchor.Hash); err != nil {
		return err
	}
	was, known := w.head.Audits[o.Controller]
	switch {
	case o.Anchor.Sequence < was.Sequence:
		return fmt.Errorf("audit log of %s: it is at %d and cannot go back to %d: run gantry audit verify: %w", o.Controller, was.Sequence, o.Anchor.Sequence, model.ErrConflict)
	case !known && len(w.head.Audits) >= maxAnchors:
		return fmt.Errorf("audit log of %s: %d controllers have one: %w", o.Controller, maxAnchors, model.ErrConflict)
	}
	next := anchors{o.Controller: o.Anchor}
	maps.Copy(next, w.head.Audits)
	next[o.Controller] = o.Anchor
	w.head.Audits = next
	return nil
}
