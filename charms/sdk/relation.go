package sdk

import (
	"slices"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// Relations are the relations of an endpoint, dying ones too, by ID.
func Relations(in effect.Input, endpoint model.EndpointName) []effect.Relation {
	var found []effect.Relation
	for _, r := range in.Spec.Relations {
		if r.Endpoint == endpoint && r.Life != model.Dead {
			found = append(found, r)
		}
	}
	return found
}

// Relation is the first alive relation of an endpoint, for endpoints that take
// one.
func Relation(in effect.Input, endpoint model.EndpointName) (effect.Relation, bool) {
	for _, r := range in.Spec.Relations {
		if r.Endpoint == endpoint && r.Life == model.Alive {
			return r, true
		}
	}
	return effect.Relation{}, false
}

// PeerRelation is the relation of the application's units with each other.
func PeerRelation(in effect.Input) (effect.Relation, bool) {
	for _, r := range in.Spec.Relations {
		if r.Role == model.Peer {
			return r, true
		}
	}
	return effect.Relation{}, false
}

// Peers are the other units of the application that are not gone, by number.
func Peers(in effect.Input) []effect.Remote {
	r, _ := PeerRelation(in)
	return Present(r)
}

// Present are the units at a relation's other end that are not gone, in order.
func Present(r effect.Relation) []effect.Remote {
	units := slices.DeleteFunc(slices.Clone(r.Units), func(u effect.Remote) bool { return u.Gone })
	slices.SortFunc(units, func(a, b effect.Remote) int { return model.CompareUnits(a.Unit, b.Unit) })
	return units
}

// Published is what the unit itself, and its application, have committed in a
// relation.
func Published(in effect.Input, relation model.RelationID) effect.OwnBag {
	for _, own := range in.Live.Own {
		if own.Relation == relation {
			return own
		}
	}
	return effect.OwnBag{Relation: relation}
}
