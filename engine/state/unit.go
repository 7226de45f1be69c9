package state

import (
	"time"

	"github.com/gantry-orchestrator/gantry/engine/state/tables"
	"github.com/gantry-orchestrator/gantry/model"
)

// Unit is one instance of an application. A dead one is a tombstone until all
// that were related to it have seen that it is gone.
type Unit struct {
	Stamp
	Model     model.ModelName   `json:"model"`
	Name      model.UnitName    `json:"name"`
	Life      model.Life        `json:"life,omitempty"`
	Teardown  bool              `json:"teardown,omitempty"` // of a dying one: drained, its effects are being undone
	Forced    bool              `json:"forced,omitempty"`   // removed though its machine cannot undo anything
	Turned    uint64            `json:"turned,omitempty"`   // index at which Life or Teardown last changed
	Since     time.Time         `json:"since,omitzero"`     // and when
	Machine   model.MachineName `json:"machine,omitempty"`  // empty until it is placed
	Principal model.UnitName    `json:"principal,omitzero"` // whom a subordinate accompanies
	To        Placement         `json:"to,omitzero"`        // where the operator wants it
}

// Ref returns the unit's reference.
func (u Unit) Ref() UnitRef { return UnitRef{Model: u.Model, Unit: u.Name} }

// The indexes of units.
const (
	unitByMachine = iota
	unitByPrincipal
	unitDeparting
	unitUnplaced
)

var unitSchema = &schema[Unit]{
	table: tables.Unit,
	key:   func(u *Unit) Key { return u.Ref().Key() },
	stamp: func(u *Unit) *Stamp { return &u.Stamp },
	indexes: []index[Unit]{
		unitByMachine: func(u *Unit) [][]byte {
			if u.Machine == "" {
				return nil
			}
			return [][]byte{radixKey(u.Model, string(u.Machine)+":")}
		},
		unitByPrincipal: func(u *Unit) [][]byte {
			if u.Principal.IsZero() {
				return nil
			}
			return [][]byte{radixKey(u.Model, u.Principal.String()+":")}
		},
		unitDeparting: func(u *Unit) [][]byte {
			if u.Life == model.Alive {
				return nil
			}
			return [][]byte{radixKey(u.Model, string(u.Name.Application)+":")}
		},
		unitUnplaced: func(u *Unit) [][]byte {
			if u.Machine != "" || u.Life != model.Alive {
				return nil
			}
			return [][]byte{radixKey(u.Model, "")}
		},
	},
}

// Unit returns a unit, which may be a tombstone.
func (s State) Unit(r UnitRef) (Unit, bool) { return s.units.find(r.Key()) }

// Units returns an application's units by number, tombstones included.
func (s State) Units(r ApplicationRef) []Unit {
	return s.units.under(radixKey(r.Model, string(r.Application)+"/"))
}

// ModelUnits returns a model's units, tombstones included.
func (s State) ModelUnits(m model.ModelName) []Unit { return s.units.under(radixKey(m, "")) }

// UnitsOn returns the units that are placed on a machine.
func (s State) UnitsOn(r MachineRef) []Unit {
	return s.units.indexed(unitByMachine, radixKey(r.Model, string(r.Machine)+":"))
}

// Subordinates returns the units that accompany a principal.
func (s State) Subordinates(r UnitRef) []Unit {
	return s.units.indexed(unitByPrincipal, radixKey(r.Model, r.Unit.String()+":"))
}

// Departing returns an application's units that are not alive.
func (s State) Departing(r ApplicationRef) []Unit {
	return s.units.indexed(unitDeparting, radixKey(r.Model, string(r.Application)+":"))
}

// Unplaced returns a model's living units that are on no machine yet.
func (s State) Unplaced(m model.ModelName) []Unit {
	return s.units.indexed(unitUnplaced, radixKey(m, ""))
}
