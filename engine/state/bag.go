package state

import (
	"strconv"

	"github.com/gantry-orchestrator/gantry/engine/state/tables"
	"github.com/gantry-orchestrator/gantry/model"
)

// Bag is what a unit, or an application, publishes in a relation.
type Bag struct {
	Stamp
	Model    model.ModelName   `json:"model"`
	Relation model.RelationID  `json:"relation"`
	Owner    Owner             `json:"owner"`
	Data     map[string]string `json:"data,omitempty"`
}

var bagSchema = &schema[Bag]{
	table: tables.Bag,
	key:   func(b *Bag) Key { return bagKey(b.Model, b.Relation, b.Owner) },
	stamp: func(b *Bag) *Stamp { return &b.Stamp },
}

func bagKey(m model.ModelName, id model.RelationID, o Owner) Key {
	return Key{tables.Bag, m, strconv.FormatUint(uint64(id), 10) + ":" + o.String()}
}

// Bag returns what an owner publishes in a relation.
func (s State) Bag(r RelationRef, o Owner) (Bag, bool) {
	return s.bags.find(bagKey(r.Model, r.Relation, o))
}

// Bags returns what is published in a relation, by owner.
func (s State) Bags(r RelationRef) []Bag {
	return s.bags.under(radixKey(r.Model, r.Key().ID+":"))
}
