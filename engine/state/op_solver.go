package state

import (
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// CreateSubordinate makes a subordinate unit beside its principal.
type CreateSubordinate struct {
	Model       model.ModelName       `json:"model"`
	Application model.ApplicationName `json:"application"`
	Principal   model.UnitName        `json:"principal"`
}

// AssignUnit places a unit on a machine that is there.
type AssignUnit struct {
	Model   model.ModelName   `json:"model"`
	Unit    model.UnitName    `json:"unit"`
	Machine model.MachineName `json:"machine"`
}

// RequestMachine asks the host agent for a machine and places units on it.
type RequestMachine struct {
	Model       model.ModelName   `json:"model"`
	Units       []model.UnitName  `json:"units"`
	Constraints model.Constraints `json:"constraints,omitzero"`
	Base        string            `json:"base,omitempty"`
	Packages    []string          `json:"packages,omitempty"` // that the charms of these units want, sorted
}

// Advance moves a subject to its next stage of life: a model, application,
// unit, relation or machine.
//
// An alive one is dying from then on. A dying unit goes from draining to
// teardown, and from there to dead; To says which. A dead unit, and every
// other subject that is dying and empty, is forgotten.
type Advance struct {
	Subject   Key      `json:"subject"`
	To        Stage    `json:"to"`
	Leftovers []string `json:"leftovers,omitempty"` // of a unit: what its departure left on the machine
}

// Stage is a step of departure.
type Stage string

// The stages, in order.
const (
	Drain    Stage = "drain"    // Dying: others are to let it go
	Teardown Stage = "teardown" // Dying: its effects are undone
	Bury     Stage = "bury"     // Dead
	Forget   Stage = "forget"   // the row goes
)

// GrantLease makes a unit the leader.
type GrantLease struct {
	Model  model.ModelName `json:"model"`
	Holder model.UnitName  `json:"holder"`
}

// GrantTurn permits a unit to disrupt.
type GrantTurn struct {
	Model model.ModelName `json:"model"`
	Unit  model.UnitName  `json:"unit"`
	Ask   effect.Turn     `json:"ask"`
}

// EndTurn takes a turn from a unit, be it done (by the solver) or revoked (by
// an operator). What the unit still does under its token is refused.
type EndTurn struct {
	Model model.ModelName `json:"model"`
	Unit  model.UnitName  `json:"unit"`
	Turn  string          `json:"turn"`
	Token uint64          `json:"token,omitempty"` // of the grant that is meant; 0 for any
}

// AdvanceOrder takes an order from a stage, by number, to the next, or closes
// it after the last.
type AdvanceOrder struct {
	Model       model.ModelName       `json:"model"`
	Application model.ApplicationName `json:"application"`
	ID          string                `json:"id"`
	From        int                   `json:"from"`
}

// MarkSolved says that the solver had nothing to do at an entry.
type MarkSolved struct {
	Through uint64 `json:"through"`
}

// RaiseLevel activates the features of a level, once every controller has them.
type RaiseLevel struct {
	Level int `json:"level"`
}
