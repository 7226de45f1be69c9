package state

import (
	"time"

	"github.com/gantry-orchestrator/gantry/engine/state/tables"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// Turn is a permission to disrupt that a unit holds, or held: a released one
// stays as a row, so that the unit's live serial never falls.
type Turn struct {
	Stamp
	Model model.ModelName `json:"model"`
	Unit  model.UnitName  `json:"unit"`
	Ask   effect.Turn     `json:"ask"` // as it was granted
	Held  bool            `json:"held,omitempty"`
	Token uint64          `json:"token"` // index of the last grant
	Since time.Time       `json:"since,omitzero"`
}

var turnSchema = &schema[Turn]{
	table: tables.Turn,
	key:   func(t *Turn) Key { return UnitRef{t.Model, t.Unit}.TurnKey(t.Ask.Name) },
	stamp: func(t *Turn) *Stamp { return &t.Stamp },
}

// Turn returns a unit's turn, held or released.
func (s State) Turn(r UnitRef, name string) (Turn, bool) { return s.turns.find(r.TurnKey(name)) }

// TurnsOf returns a unit's turns by name, released ones included.
func (s State) TurnsOf(r UnitRef) []Turn {
	return s.turns.under(radixKey(r.Model, r.Unit.String()+":"))
}

// Turns returns the turns of an application's units, released ones included.
func (s State) Turns(r ApplicationRef) []Turn {
	return s.turns.under(radixKey(r.Model, string(r.Application)+"/"))
}

// Group names what counts as one against the turn's limit: the group that the
// unit named, or the unit itself.
func (t Turn) Group() string {
	if t.Ask.Group == "" {
		return t.Unit.String()
	}
	return "group " + t.Ask.Group
}
