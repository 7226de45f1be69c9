package state

import (
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/charm"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// AddModel makes an empty model.
type AddModel struct {
	Model    model.ModelName `json:"model"`
	UUID     string          `json:"uuid"` // random
	Provider string          `json:"provider,omitempty"`
	CIDR     string          `json:"cidr,omitempty"`
}

// SetNetwork records the network that the model's machines share.
type SetNetwork struct {
	Model model.ModelName `json:"model"`
	CIDR  string          `json:"cidr"`
}

// DestroyModel asks that a model go with all in it. Force removes units whose
// machines are fenced or were never made without waiting for them.
type DestroyModel struct {
	Model          model.ModelName `json:"model"`
	DestroyStorage bool            `json:"destroy_storage,omitempty"`
	Force          bool            `json:"force,omitempty"`
}

// AddCharm makes an artifact known to a model. Adding it again changes nothing.
type AddCharm struct {
	Model    model.ModelName `json:"model"`
	Hash     string          `json:"hash"`
	Artifact string          `json:"artifact"`
	Declared charm.Charm     `json:"declared"`
	Shared   []effect.Shared `json:"shared,omitempty"`
}

// AddApplication deploys a charm that the model knows, with its peer relations
// and first units.
type AddApplication struct {
	Model       model.ModelName       `json:"model"`
	Name        model.ApplicationName `json:"name"`
	Charm       model.CharmName       `json:"charm"`
	Hash        string                `json:"hash"`
	Units       int                   `json:"units,omitempty"` // 0 for a subordinate
	To          []Placement           `json:"to,omitempty"`    // one a unit; the rest are left to the solver
	Config      charm.Settings        `json:"config,omitempty"`
	Constraints model.Constraints     `json:"constraints,omitzero"`
	Base        string                `json:"base,omitempty"`
	Trust       bool                  `json:"trust,omitempty"`
	Exposed     bool                  `json:"exposed,omitempty"`
}

// SetConfig changes options of an application. Unset ones take the charm's
// default again.
type SetConfig struct {
	Model       model.ModelName       `json:"model"`
	Application model.ApplicationName `json:"application"`
	Set         charm.Settings        `json:"set,omitempty"`
	Unset       []string              `json:"unset,omitempty"`
}

// SetTraits changes how an application is run: what its new machines must
// offer, whether it may reach beyond its machines, whether others may reach it.
// A nil field stays as it is.
type SetTraits struct {
	Model       model.ModelName       `json:"model"`
	Application model.ApplicationName `json:"application"`
	Constraints *model.Constraints    `json:"constraints,omitempty"`
	Trust       *bool                 `json:"trust,omitempty"`
	Exposed     *bool                 `json:"exposed,omitempty"`
}

// SetCharm moves an application to another artifact that the model knows.
// Settings that it does not have any more are dropped.
type SetCharm struct {
	Model       model.ModelName       `json:"model"`
	Application model.ApplicationName `json:"application"`
	Charm       model.CharmName       `json:"charm"`
	Hash        string                `json:"hash"`
}

// RemoveApplication asks that an application go, its units and relations
// first. Force is for units whose machines are fenced or were never made.
type RemoveApplication struct {
	Model          model.ModelName       `json:"model"`
	Application    model.ApplicationName `json:"application"`
	DestroyStorage bool                  `json:"destroy_storage,omitempty"`
	Force          bool                  `json:"force,omitempty"`
}

// AddUnits makes units of an application. Result.Created names them.
type AddUnits struct {
	Model       model.ModelName       `json:"model"`
	Application model.ApplicationName `json:"application"`
	Count       int                   `json:"count"`
	To          []Placement           `json:"to,omitempty"`
}

// RemoveUnits asks that units go. Force does not wait for a unit, nor undo
// anything: its machine must be fenced or never made.
type RemoveUnits struct {
	Model          model.ModelName  `json:"model"`
	Units          []model.UnitName `json:"units"`
	DestroyStorage bool             `json:"destroy_storage,omitempty"`
	Force          bool             `json:"force,omitempty"`
}

// AddRelation joins two endpoints, both named: see solver.Match. Its ID is in
// Result.Created.
type AddRelation struct {
	Model model.ModelName   `json:"model"`
	A     model.EndpointRef `json:"a"`
	B     model.EndpointRef `json:"b"`
}

// RemoveRelation asks that a relation go. Force waits for nobody.
type RemoveRelation struct {
	Model    model.ModelName  `json:"model"`
	Relation model.RelationID `json:"relation"`
	Force    bool             `json:"force,omitempty"`
}

// AddMachine asks for a machine that stays when it is empty. Its name is in
// Result.Created.
type AddMachine struct {
	Model       model.ModelName   `json:"model"`
	Constraints model.Constraints `json:"constraints,omitzero"`
	Base        string            `json:"base,omitempty"`
	Packages    []string          `json:"packages,omitempty"`
}

// RemoveMachine asks that a machine go. With Force its units go first;
// without, it must have none.
type RemoveMachine struct {
	Model   model.ModelName   `json:"model"`
	Machine model.MachineName `json:"machine"`
	Force   bool              `json:"force,omitempty"`
}

// AcknowledgeLost vouches that a machine will not come back: it is fenced, its
// agent is not listened to any more, and --force may remove its units.
type AcknowledgeLost struct {
	Model   model.ModelName   `json:"model"`
	Machine model.MachineName `json:"machine"`
}

// StartOrder opens a staged procedure that the charm declares.
type StartOrder struct {
	Model       model.ModelName       `json:"model"`
	Application model.ApplicationName `json:"application"`
	ID          string                `json:"id"` // random
	Name        string                `json:"name"`
	Params      map[string]string     `json:"params,omitempty"`
	Warrants    []effect.Warrant      `json:"warrants,omitempty"`
}

// CancelOrder closes an order before its point of no return.
type CancelOrder struct {
	Model       model.ModelName       `json:"model"`
	Application model.ApplicationName `json:"application"`
	ID          string                `json:"id"`
}

// ResolveTask decides the outcome of a claim that nobody knows.
type ResolveTask struct {
	Model       model.ModelName       `json:"model"`
	Application model.ApplicationName `json:"application"`
	Task        string                `json:"task"`
	TaskKey     string                `json:"key"`
	Done        bool                  `json:"done,omitempty"` // it had its effect; otherwise it failed, and may run again
}

// EnqueueOperation asks a unit or a machine to run an action or a command. Its
// ID is in Result.Created; that of Run is ignored.
type EnqueueOperation struct {
	Model model.ModelName  `json:"model"`
	Run   effect.Operation `json:"run"`
}
