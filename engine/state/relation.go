package state

import (
	"time"

	"github.com/gantry-orchestrator/gantry/engine/state/tables"
	"github.com/gantry-orchestrator/gantry/model"
)

// Relation connects the provider's endpoint with the requirer's, or the peers
// of one application through a single end.
type Relation struct {
	Stamp
	Model     model.ModelName     `json:"model"`
	ID        model.RelationID    `json:"id"`
	Life      model.Life          `json:"life,omitempty"`
	Turned    uint64              `json:"turned,omitempty"` // index at which Life last changed
	Since     time.Time           `json:"since,omitzero"`
	Forced    bool                `json:"forced,omitempty"` // nobody is waited for
	Interface model.InterfaceName `json:"interface"`
	Scope     model.Scope         `json:"scope"`
	Ends      []End               `json:"ends"` // the provider first
}

// End is one end of a relation.
type End struct {
	Application model.ApplicationName `json:"application"`
	Endpoint    model.EndpointName    `json:"endpoint"`
	Role        model.Role            `json:"role"`
}

// Peer reports whether the relation is among the units of one application.
func (r Relation) Peer() bool { return len(r.Ends) == 1 }

// End returns the application's own end and its counterpart, which for peers
// is the same.
func (r Relation) End(a model.ApplicationName) (own, remote End, ok bool) {
	if r.Peer() {
		return r.Ends[0], r.Ends[0], r.Ends[0].Application == a
	}
	switch a {
	case r.Ends[0].Application:
		return r.Ends[0], r.Ends[1], true
	case r.Ends[1].Application:
		return r.Ends[1], r.Ends[0], true
	}
	return End{}, End{}, false
}

// Ref returns the end as an operator names it.
func (e End) Ref() model.EndpointRef {
	return model.EndpointRef{Application: e.Application, Endpoint: e.Endpoint}
}

// The indexes of relations.
const (
	relationByApplication = iota
	relationDeparting
)

var relationSchema = &schema[Relation]{
	table: tables.Relation,
	key:   func(r *Relation) Key { return r.Ref().Key() },
	stamp: func(r *Relation) *Stamp { return &r.Stamp },
	indexes: []index[Relation]{
		relationByApplication: func(r *Relation) [][]byte { return r.byEnd() },
		relationDeparting: func(r *Relation) [][]byte {
			if r.Life == model.Alive {
				return nil
			}
			return r.byEnd()
		},
	},
}

// byEnd lists the applications at its ends, each once.
func (r *Relation) byEnd() [][]byte {
	var keys [][]byte
	for i, e := range r.Ends {
		if i == 0 || e.Application != r.Ends[0].Application {
			keys = append(keys, radixKey(r.Model, string(e.Application)+":"))
		}
	}
	return keys
}

// Ref returns the relation's reference.
func (r Relation) Ref() RelationRef { return RelationRef{Model: r.Model, Relation: r.ID} }

// Relation returns a relation.
func (s State) Relation(r RelationRef) (Relation, bool) { return s.relations.find(r.Key()) }

// Relations returns an application's relations by ID, peers included.
func (s State) Relations(r ApplicationRef) []Relation {
	return s.relations.indexed(relationByApplication, radixKey(r.Model, string(r.Application)+":"))
}

// ModelRelations returns a model's relations by ID.
func (s State) ModelRelations(m model.ModelName) []Relation {
	return s.relations.under(radixKey(m, ""))
}

// DepartingRelations returns an application's relations that are not alive.
func (s State) DepartingRelations(r ApplicationRef) []Relation {
	return s.relations.indexed(relationDeparting, radixKey(r.Model, string(r.Application)+":"))
}
