package state

import (
	"github.com/gantry-orchestrator/gantry/engine/state/tables"
	"github.com/gantry-orchestrator/gantry/model"
)

// Model is an isolated workspace.
type Model struct {
	Stamp
	Name           model.ModelName  `json:"name"`
	UUID           string           `json:"uuid"` // given by the proposer
	Life           model.Life       `json:"life,omitempty"`
	Provider       string           `json:"provider,omitempty"`
	CIDR           string           `json:"cidr,omitempty"` // the network that its machines share
	DestroyStorage bool             `json:"destroy_storage,omitempty"`
	Revision       uint64           `json:"revision,omitempty"` // the last one that changed it
	NextMachine    int              `json:"next_machine,omitempty"`
	NextRelation   model.RelationID `json:"next_relation,omitempty"` // the last one given
	NextOperation  int              `json:"next_operation,omitempty"`
}

var modelSchema = &schema[Model]{
	table: tables.Model,
	key:   func(m *Model) Key { return ModelKey(m.Name) },
	stamp: func(m *Model) *Stamp { return &m.Stamp },
}

// Model returns a model.
func (s State) Model(name model.ModelName) (Model, bool) { return s.models.find(ModelKey(name)) }

// Models returns every model by name.
func (s State) Models() []Model { return s.models.under(nil) }
