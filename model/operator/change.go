package operator

import (
	"time"

	"github.com/gantry-orchestrator/gantry/model"
)

// Change accompanies what alters a model. The zero value asks for nothing
// special.
type Change struct {
	Key        string // random; a retry with the same key has no second effect
	Reason     string
	AtRevision uint64 // refused with model.ErrConflict unless the model is there; 0 for any
}

// Committed says where a change ended up in the log.
type Committed struct {
	Index    uint64 `json:"index"`
	Revision uint64 `json:"revision"`
}

// Event is one committed change, for a watch. Keys name what it touched, such
// as "unit/postgresql/0".
type Event struct {
	Index    uint64   `json:"index"`
	Revision uint64   `json:"revision"`
	Author   string   `json:"author,omitempty"`
	Reason   string   `json:"reason,omitempty"`
	Keys     []string `json:"keys,omitempty"`
}

// Apply asks that a model be as a bundle says, in one revision.
type Apply struct {
	Change
	Model  model.ModelName
	Bundle []byte // canonical, its overlays merged
	Prune  bool   // remove what the bundle does not name
}

// Applied is what an Apply changed. Without differences nothing was committed.
type Applied struct {
	Committed   Committed    `json:"committed"`
	Differences []Difference `json:"differences"`
}

// Difference is one thing that a change alters.
type Difference struct {
	Action  string `json:"action"`  // add, change or remove
	Kind    string `json:"kind"`    // application, units, config, relation, machine, ...
	Subject string `json:"subject"` // e.g. postgresql
	Field   string `json:"field,omitempty"`
	From    string `json:"from,omitempty"`
	To      string `json:"to,omitempty"`
}

// Planned is what a change would do to the model and to its machines.
type Planned struct {
	Revision    uint64        `json:"revision"` // of the model that the plan was made for
	Differences []Difference  `json:"differences,omitempty"`
	Placements  []Placement   `json:"placements,omitempty"`
	Units       []PlannedUnit `json:"units,omitempty"`
}

// Placement is where a unit would go.
type Placement struct {
	Unit    model.UnitName    `json:"unit"`
	Machine model.MachineName `json:"machine"`
	New     bool              `json:"new,omitempty"` // the machine would be made
}

// PlannedUnit is what would happen on a unit's machine, in order.
type PlannedUnit struct {
	Unit    model.UnitName  `json:"unit"`
	Effects []PlannedEffect `json:"effects,omitempty"`
}

// Certainty says how sure a line of a plan is.
type Certainty string

// The certainties.
const (
	Certain  Certainty = "certain"
	Expected Certainty = "expected"
	Unsure   Certainty = "known after apply"
)

// PlannedEffect is one line of a plan.
type PlannedEffect struct {
	Effect    string    `json:"effect"`           // id, such as file/patroni.yml
	Action    string    `json:"action"`           // add, change, remove, restart, reload, run, fetch
	Detail    string    `json:"detail,omitempty"` // what it is, where the id does not say it
	Certainty Certainty `json:"certainty"`
	Diff      string    `json:"diff,omitempty"` // unified, of a file
	Turn      string    `json:"turn,omitempty"` // that it waits for
	Disrupts  bool      `json:"disrupts,omitempty"`
	Destroys  bool      `json:"destroys,omitempty"`
}

// Progress is one message of a wait. The last one has Converged or Blocked.
type Progress struct {
	Index     uint64        `json:"index"`
	Revision  uint64        `json:"revision"`
	Converged bool          `json:"converged"`
	Blocked   []string      `json:"blocked,omitempty"` // "unit: reason"; a person must act
	Waiting   []string      `json:"waiting,omitempty"` // what is still to come
	Doing     []string      `json:"doing,omitempty"`   // effects under way, "unit: effect"
	Elapsed   time.Duration `json:"elapsed"`
}
