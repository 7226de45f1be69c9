package operator

import "github.com/gantry-orchestrator/gantry/model"

// Deploy asks for a new application.
type Deploy struct {
	Change
	Model       model.ModelName
	Charm       string                // name, or hash of an artifact
	Application model.ApplicationName // empty takes the charm's name
	Units       int                   // 0 takes 1, or none for a subordinate
	Config      map[string]string     // as text; the charm gives the types
	Constraints model.Constraints
	To          []string // placement directives, one a unit
	Trust       bool
	Expose      bool
}

// Removal asks that an application go.
type Removal struct {
	Change
	Model          model.ModelName
	Application    model.ApplicationName
	DestroyStorage bool
	Force          bool
}

// SetConfig changes options of an application; Reset returns some to their
// defaults.
type SetConfig struct {
	Change
	Model       model.ModelName
	Application model.ApplicationName
	Set         map[string]string
	Reset       []string
}

// SetConstraints replaces what an application's new machines must offer.
type SetConstraints struct {
	Change
	Model       model.ModelName
	Application model.ApplicationName
	Constraints model.Constraints
}

// Trust gives or takes an application's access to what is beyond its machine.
type Trust struct {
	Change
	Model       model.ModelName
	Application model.ApplicationName
	Trust       bool
}

// Expose opens or closes an application's ports to other networks.
type Expose struct {
	Change
	Model       model.ModelName
	Application model.ApplicationName
	Expose      bool
}

// AddUnits asks for more units of an application.
type AddUnits struct {
	Change
	Model       model.ModelName
	Application model.ApplicationName
	Count       int
	To          []string
}

// UnitsAdded names the units that an AddUnits made.
type UnitsAdded struct {
	Committed Committed        `json:"committed"`
	Units     []model.UnitName `json:"units"`
}

// RemoveUnits asks that units go.
type RemoveUnits struct {
	Change
	Model          model.ModelName
	Units          []model.UnitName
	DestroyStorage bool
	Force          bool
}

// Integrate asks for a relation between two applications.
type Integrate struct {
	Change
	Model model.ModelName
	A, B  model.EndpointRef
}

// Integrated is the relation that an Integrate made, its ends resolved.
type Integrated struct {
	Committed Committed         `json:"committed"`
	Relation  model.RelationID  `json:"relation"`
	A         model.EndpointRef `json:"a"`
	B         model.EndpointRef `json:"b"`
}

// RemoveRelation asks that a relation go. It is named by its ID or, where that
// is 0, by its ends.
type RemoveRelation struct {
	Change
	Model    model.ModelName
	Relation model.RelationID
	A, B     model.EndpointRef
	Force    bool
}

// Option is an option of an application's configuration.
type Option struct {
	Name        string `json:"name"`
	Type        string `json:"type"`
	Description string `json:"description,omitempty"`
	Value       any    `json:"value"`
	Default     any    `json:"default,omitempty"`
	Set         bool   `json:"set"` // by an operator
}
