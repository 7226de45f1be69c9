package operator

import "github.com/gantry-orchestrator/gantry/model"

// DestroyModel asks that a model go with all in it.
type DestroyModel struct {
	Change
	Model          model.ModelName
	DestroyStorage bool
	Force          bool
}

// AddModel asks for a new, empty model.
type AddModel struct {
	Change
	Name     model.ModelName
	Provider string // empty takes the controller's
}

// AddMachine asks for a machine without units.
type AddMachine struct {
	Change
	Model       model.ModelName
	Constraints model.Constraints
	Base        string
}

// MachineAdded names the machine that an AddMachine made.
type MachineAdded struct {
	Committed Committed         `json:"committed"`
	Machine   model.MachineName `json:"machine"`
}

// RemoveMachine asks that a machine go. Force removes its units with it.
type RemoveMachine struct {
	Change
	Model   model.ModelName
	Machine model.MachineName
	Force   bool
}
