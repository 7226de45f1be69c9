package state

import (
	"time"

	"github.com/gantry-orchestrator/gantry/engine/state/tables"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// Operation is one run of an action, or of an operator's command.
type Operation struct {
	Stamp
	Model  model.ModelName         `json:"model"`
	Run    effect.Operation        `json:"run"` // its ID counts inside the model
	Author string                  `json:"author,omitempty"`
	Asked  time.Time               `json:"asked"`
	Ended  time.Time               `json:"ended,omitzero"`
	Result *effect.OperationResult `json:"result,omitempty"` // nil while it is pending
}

// The indexes of operations.
const (
	operationByUnit = iota
	operationByMachine
	operationEnded
)

var operationSchema = &schema[Operation]{
	table: tables.Operation,
	key:   func(o *Operation) Key { return operationKey(o.Model, o.Run.ID) },
	stamp: func(o *Operation) *Stamp { return &o.Stamp },
	indexes: []index[Operation]{
		operationByUnit: func(o *Operation) [][]byte {
			if o.Result != nil || o.Run.Unit.IsZero() {
				return nil
			}
			return [][]byte{radixKey(o.Model, o.Run.Unit.String()+":")}
		},
		operationByMachine: func(o *Operation) [][]byte {
			if o.Result != nil || o.Run.Machine == "" {
				return nil
			}
			return [][]byte{radixKey(o.Model, string(o.Run.Machine)+":")}
		},
		operationEnded: func(o *Operation) [][]byte {
			if o.Result == nil {
				return nil
			}
			return [][]byte{radixKey(o.Model, "")}
		},
	},
}

func operationKey(m model.ModelName, id string) Key { return Key{tables.Operation, m, id} }

// Operation returns an operation of a model.
func (s State) Operation(m model.ModelName, id string) (Operation, bool) {
	return s.operations.find(operationKey(m, id))
}

// Operations returns a model's operations in the order they were asked for.
func (s State) Operations(m model.ModelName) []Operation {
	return s.operations.under(radixKey(m, ""))
}

// PendingOn returns the operations that a unit has not answered.
func (s State) PendingOn(r UnitRef) []Operation {
	return s.operations.indexed(operationByUnit, radixKey(r.Model, r.Unit.String()+":"))
}

// PendingOnMachine returns the operations that a machine itself, not a unit on
// it, has not answered.
func (s State) PendingOnMachine(r MachineRef) []Operation {
	return s.operations.indexed(operationByMachine, radixKey(r.Model, string(r.Machine)+":"))
}
