package state

import "time"

// Origin says who proposes a command, and so what it means for the revision
// and for the solver.
type Origin string

// The origins.
const (
	Operator Origin = "operator" // may raise the revision
	Solver   Origin = "solver"   // follows from Cause; does not disturb the solver again
	Agents   Origin = "agents"   // an agent or a host agent
)

// Command is one entry of the log. All of its Ops happen, or none.
type Command struct {
	Version    int            `json:"version"`            // of the format: FormatVersion
	Key        string         `json:"key,omitempty"`      // idempotency: a retry gets the first answer
	Now        time.Time      `json:"now"`                // the proposer's clock
	Deadline   time.Time      `json:"deadline,omitzero"`  // refused when state's clock has passed it
	Origin     Origin         `json:"origin"`             //
	Author     string         `json:"author,omitempty"`   // a user, a machine's UUID, a controller
	Reason     string         `json:"reason,omitempty"`   //
	Cause      uint64         `json:"cause,omitempty"`    // of a derived command: the revision that it follows from
	AtRevision uint64         `json:"revision,omitempty"` // refused unless state is there; 0 for any
	Expect     []Precondition `json:"expect,omitempty"`
	Ops        []Op           `json:"ops"`
}

// Precondition is a row that the proposer read. Index is its ModifyIndex, 0
// where there was none.
type Precondition struct {
	Key   Key    `json:"key"`
	Index uint64 `json:"index,omitempty"`
}

// Result says what an applied command did.
type Result struct {
	Index    uint64 `json:"index"` // number of the log entry; the token of what it granted
	Revision uint64 `json:"revision"`
	Created  []Key  `json:"created,omitempty"` // what got a name or an ID by it, in the order of the ops
	Changed  []Key  `json:"-"`                 // every row that it made, changed or removed; empty for a repeated answer
}

// Outcome is the answer to one command of a batch.
type Outcome struct {
	Result Result
	Err    error
}

// Op is one step of a command. The ops of this package are all there are.
type Op interface {
	// apply performs the op, or returns an error that wraps a model class;
	// the writer then takes back what was done.
	apply(w *writer) error
	// summary is a line for the revision's record.
	summary() string
}
