package state

import (
	"strconv"
	"strings"

	"github.com/gantry-orchestrator/gantry/engine/state/tables"
	"github.com/gantry-orchestrator/gantry/model"
)

// Key identifies a row: of a model, or of the controller where Model is
// empty. ID reads as operators write it, e.g. "postgresql/0".
type Key struct {
	Table tables.Name     `json:"table"`
	Model model.ModelName `json:"model,omitempty"`
	ID    string          `json:"id"`
}

// String writes the key as an event names it, e.g. "unit/postgresql/0".
func (k Key) String() string {
	return string(k.Table) + "/" + strings.ReplaceAll(k.ID, separator, "/")
}

// separator parts what may hold any other character.
const separator = "\x00"

// ApplicationRef is an application of a model.
type ApplicationRef struct {
	Model       model.ModelName
	Application model.ApplicationName
}

// UnitRef is a unit of a model.
type UnitRef struct {
	Model model.ModelName
	Unit  model.UnitName
}

// MachineRef is a machine of a model.
type MachineRef struct {
	Model   model.ModelName
	Machine model.MachineName
}

// RelationRef is a relation of a model.
type RelationRef struct {
	Model    model.ModelName
	Relation model.RelationID
}

// Application returns the unit's application.
func (u UnitRef) Application() ApplicationRef {
	return ApplicationRef{Model: u.Model, Application: u.Unit.Application}
}

// Key returns the application's key.
func (r ApplicationRef) Key() Key { return Key{tables.Application, r.Model, string(r.Application)} }

// Key returns the unit's key.
func (r UnitRef) Key() Key { return Key{tables.Unit, r.Model, r.Unit.String()} }

// Key returns the machine's key.
func (r MachineRef) Key() Key { return Key{tables.Machine, r.Model, string(r.Machine)} }

// Key returns the relation's key.
func (r RelationRef) Key() Key {
	return Key{tables.Relation, r.Model, strconv.FormatUint(uint64(r.Relation), 10)}
}

// ModelKey is the key of a model.
func ModelKey(m model.ModelName) Key { return Key{tables.Model, m, string(m)} }

// LeaseKey is the key of an application's leadership.
func LeaseKey(r ApplicationRef) Key { return Key{tables.Lease, r.Model, string(r.Application)} }

// TurnKey is the key of a turn of the unit.
func (r UnitRef) TurnKey(turn string) Key {
	return Key{tables.Turn, r.Model, r.Unit.String() + ":" + turn}
}

// Unit parses the unit in the ID of a unit, a turn or a warrant, or of a
// record or secret of a unit; ok is false for every other key.
func (k Key) Unit() (u UnitRef, ok bool) {
	name, _, _ := strings.Cut(k.ID, ":")
	unit, err := model.ParseUnitName(name)
	return UnitRef{k.Model, unit}, err == nil
}

// Application parses the application that the ID begins with, be it on its
// own or in a unit's name.
func (k Key) Application() ApplicationRef {
	end := strings.IndexAny(k.ID, "/:")
	if end < 0 {
		end = len(k.ID)
	}
	return ApplicationRef{k.Model, model.ApplicationName(k.ID[:end])}
}

// Relation parses the relation in the ID of a relation or of a bag.
func (k Key) Relation() (r RelationRef, ok bool) {
	digits, _, _ := strings.Cut(k.ID, ":")
	id, err := strconv.ParseUint(digits, 10, 64)
	return RelationRef{k.Model, model.RelationID(id)}, err == nil
}

// Owner is a unit, or a whole application where Unit is zero.
type Owner struct {
	Application model.ApplicationName `json:"application"`
	Unit        model.UnitName        `json:"unit,omitzero"`
}

func unitOwner(u model.UnitName) Owner { return Owner{Application: u.Application, Unit: u} }

func applicationOwner(a model.ApplicationName) Owner { return Owner{Application: a} }

// String writes "app/n" or "app".
func (o Owner) String() string {
	if o.Unit.IsZero() {
		return string(o.Application)
	}
	return o.Unit.String()
}

// radixKey orders rows by model and then by ID, the numbers in it as numbers:
// a run of digits is written behind its length. No character of it is lost,
// so that different keys have different radix keys.
func (k Key) radixKey() []byte { return radixKey(k.Model, k.ID) }

func radixKey(m model.ModelName, id string) []byte {
	b := make([]byte, 0, len(m)+len(id)+4)
	b = append(append(b, m...), 0)
	for i := 0; i < len(id); {
		if !isDigit(id[i]) {
			b = append(b, id[i])
			i++
			continue
		}
		end := i
		for end < len(id) && isDigit(id[end]) && end-i < 15 {
			end++
		}
		b = append(append(b, byte(1+end-i)), id[i:end]...)
		i = end
	}
	return b
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
