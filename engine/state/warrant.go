package state

import (
	"github.com/gantry-orchestrator/gantry/engine/state/tables"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// Warrant permits one unit to destroy data, by --destroy-storage.
type Warrant struct {
	Stamp
	Model  model.ModelName `json:"model"`
	Unit   model.UnitName  `json:"unit"`
	Permit effect.Warrant  `json:"permit"`
}

// anyWarrant is what --destroy-storage gives: every volume of the unit, in
// whatever incarnation.
var anyWarrant = effect.Warrant{Volume: "*", Incarnation: "*"}

// Leftover lists what a unit's departure left on a machine.
type Leftover struct {
	Stamp
	Model       model.ModelName   `json:"model"`
	Unit        model.UnitName    `json:"unit"`
	Machine     model.MachineName `json:"machine,omitempty"`
	MachineUUID string            `json:"machine_uuid,omitempty"`
	Items       []string          `json:"items"`
}

var warrantSchema = &schema[Warrant]{
	table: tables.Warrant,
	key: func(w *Warrant) Key {
		return Key{tables.Warrant, w.Model, w.Unit.String() + ":" + string(w.Permit.Volume) + separator + w.Permit.Incarnation}
	},
	stamp: func(w *Warrant) *Stamp { return &w.Stamp },
}

var leftoverSchema = &schema[Leftover]{
	table: tables.Leftover,
	key:   func(l *Leftover) Key { return Key{tables.Leftover, l.Model, l.Unit.String()} },
	stamp: func(l *Leftover) *Stamp { return &l.Stamp },
}

// Warrants returns a unit's own warrants.
func (s State) Warrants(r UnitRef) []Warrant {
	return s.warrants.under(radixKey(r.Model, r.Unit.String()+":"))
}

// Leftovers returns what departures in a model left on its machines, by unit.
// A machine's go with it.
func (s State) Leftovers(m model.ModelName) []Leftover { return s.leftovers.under(radixKey(m, "")) }
