package state

import (
	"github.com/gantry-orchestrator/gantry/engine/state/tables"
	"github.com/gantry-orchestrator/gantry/model"
)

// Record is a value of a unit or of an application that was written once.
type Record struct {
	Stamp
	Model model.ModelName `json:"model"`
	Owner Owner           `json:"owner"`
	Name  string          `json:"name"`
	Value string          `json:"value"`
}

var recordSchema = &schema[Record]{
	table: tables.Record,
	key:   func(r *Record) Key { return recordKey(r.Model, r.Owner, r.Name) },
	stamp: func(r *Record) *Stamp { return &r.Stamp },
}

func recordKey(m model.ModelName, o Owner, name string) Key {
	return Key{tables.Record, m, o.String() + ":" + name}
}

// Record returns a record of an owner.
func (s State) Record(m model.ModelName, o Owner, name string) (Record, bool) {
	return s.records.find(recordKey(m, o, name))
}

// Records returns an owner's own records by name.
func (s State) Records(m model.ModelName, o Owner) []Record {
	return s.records.under(radixKey(m, o.String()+":"))
}
