package state

import (
	"time"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// Publish commits what a unit publishes. What belongs to the application needs
// the token of its leadership; a lower one is refused. Bags of relations that
// have gone are passed over.
type Publish struct {
	Model model.ModelName `json:"model"`
	effect.Publication
}

// PutSecret commits a secret with its owner. The first commit of a name wins;
// a later one adds grants only. The winner's ID is in Result.Created.
type PutSecret struct {
	Model  model.ModelName    `json:"model"`
	Unit   model.UnitName     `json:"unit"`            // who made it
	Token  uint64             `json:"token,omitempty"` // of leadership, for scope application
	ID     string             `json:"id"`              // "secret:" and 128 random bits in hex
	Name   string             `json:"name"`
	Scope  effect.Scope       `json:"scope"`
	Fields []string           `json:"fields"`
	Sealed []byte             `json:"sealed"`
	Grants []model.RelationID `json:"grants,omitempty"`
}

// OpenClaim opens the claim of an Application task; Result.Index is its token.
// It is refused while another's is open and not overdue, and once it was done,
// unless it names the very claim that is done: its outcome was lost since.
// Asked again by its holder it changes nothing, and keeps its token.
type OpenClaim struct {
	Model      model.ModelName `json:"model"`
	Unit       model.UnitName  `json:"unit"`
	Task       string          `json:"task"`
	TaskKey    string          `json:"key"`
	Token      uint64          `json:"token"`                // of leadership
	Supersedes uint64          `json:"supersedes,omitempty"` // token of the done claim that this one replaces
	Deadline   time.Duration   `json:"deadline"`             // from the command's time
}

// CloseClaim closes a claim with its result. A token that is not the claim's
// is refused.
type CloseClaim struct {
	Model   model.ModelName `json:"model"`
	Unit    model.UnitName  `json:"unit"`
	Task    string          `json:"task"`
	TaskKey string          `json:"key"`
	Token   uint64          `json:"token"` // of the claim
	Failed  string          `json:"failed,omitempty"`
	Public  string          `json:"public,omitempty"` // becomes the record named after the task
	Secret  *PutSecret      `json:"secret,omitempty"` // its ID, Fields and Sealed become the secret named after the task
}

// FinishOperation records how an operation ended. The first result stays.
type FinishOperation struct {
	Model  model.ModelName        `json:"model"`
	Result effect.OperationResult `json:"result"`
}

// MachineJoined says that a machine's agent runs and where it is reached.
type MachineJoined struct {
	Model    model.ModelName   `json:"model"`
	Machine  model.MachineName `json:"machine"`
	Address  string            `json:"address"`
	Hardware Hardware          `json:"hardware,omitzero"`
}

// MachineDown says that a machine does not run, by its provider's word.
type MachineDown struct {
	Model   model.ModelName   `json:"model"`
	Machine model.MachineName `json:"machine"`
}

// MachineGone says that a dead machine was destroyed.
type MachineGone struct {
	Model   model.ModelName   `json:"model"`
	Machine model.MachineName `json:"machine"`
}
