package operator

import (
	"time"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// Run asks for an action on units. A unit "app/leader" is the leader's number
// at the time, so Units are text.
type Run struct {
	Change
	Model   model.ModelName
	Units   []string
	Action  string
	Params  map[string]any
	Timeout time.Duration // 0 takes the controller's
}

// Exec asks for a command on units or machines.
type Exec struct {
	Change
	Model    model.ModelName
	Units    []string
	Machines []model.MachineName
	Command  []string
	Timeout  time.Duration
}

// Operation is one run of an action or of a command.
type Operation struct {
	ID      string                  `json:"id"`
	Kind    effect.OperationKind    `json:"kind"`
	Unit    model.UnitName          `json:"unit,omitzero"`
	Machine model.MachineName       `json:"machine,omitempty"`
	Action  string                  `json:"action,omitempty"`
	Params  map[string]any          `json:"params,omitempty"`
	Command []string                `json:"command,omitempty"`
	Author  string                  `json:"author,omitempty"`
	State   string                  `json:"state"` // pending, done or failed
	Asked   time.Time               `json:"asked,omitzero"`
	Ended   time.Time               `json:"ended,omitzero"`
	Result  *effect.OperationResult `json:"result,omitempty"`
}

// LogQuery selects lines of the log; nothing selects all of the model's.
type LogQuery struct {
	Model    model.ModelName
	Units    []model.UnitName
	Machines []model.MachineName
	Lines    int  // newest lines to start with; 0 for all that is kept
	Follow   bool // go on as lines come
}
