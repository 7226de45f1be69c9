package state

import (
	"strconv"
	"time"

	"github.com/gantry-orchestrator/gantry/engine/state/tables"
)

// Revision is an operator's committed change.
type Revision struct {
	Stamp
	Number  uint64    `json:"number"`
	Author  string    `json:"author"`
	Reason  string    `json:"reason,omitempty"`
	Time    time.Time `json:"time"`
	Summary []string  `json:"summary"` // one line an op
	Before  []Image   `json:"before"`  // what it changed of what operators declare, in order
}

// Image is a row as it was before a change: what rollback restores.
type Image struct {
	Key Key    `json:"key"`
	Row []byte `json:"row,omitempty"` // encoded; empty where there was none
}

var revisionSchema = &schema[Revision]{
	table: tables.Revision,
	key:   func(r *Revision) Key { return revisionKey(r.Number) },
	stamp: func(r *Revision) *Stamp { return &r.Stamp },
}

func revisionKey(n uint64) Key { return Key{tables.Revision, "", strconv.FormatUint(n, 10)} }

// RevisionAt returns the record of a revision, if it is still kept.
func (s State) RevisionAt(n uint64) (Revision, bool) { return s.revisions.find(revisionKey(n)) }

// Revisions returns the records that are kept, oldest first.
func (s State) Revisions() []Revision { return s.revisions.under(nil) }
