package unit

import (
	"maps"
	"slices"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// Change is an intent as it differs from the one that a journal holds: among
// n peers each sees all others, of which few change at a time.
type Change struct {
	Intent effect.Intent `json:"intent"`         // its relations have no units
	Seen   []SeenChange  `json:"seen,omitempty"` // of relations whose units are not as they were
}

// SeenChange is how the units of a relation differ, which are sorted by name.
type SeenChange struct {
	Relation model.RelationID `json:"relation"`
	Left     []model.UnitName `json:"left,omitempty"` // that are seen no more
	New      []effect.Remote  `json:"new,omitempty"`  // or changed
}

// Next is the entry of a new intent.
func (j Journal) Next(in effect.Intent) Entry {
	c := Change{Intent: in}
	c.Intent.Spec = in.Spec.WithoutUnits()
	for _, r := range in.Spec.Relations {
		was := unitsOf(j.Intent.Spec, r.ID)
		if !sorted(was) || !sorted(r.Units) {
			return Entry{Intent: &in}
		}
		if d := compare(r.ID, was, r.Units); len(d.Left)+len(d.New) > 0 {
			c.Seen = append(c.Seen, d)
		}
	}
	return Entry{Change: &c}
}

// sorted reports whether units are in the order of their names, none twice.
func sorted(units []effect.Remote) bool {
	for i := 1; i < len(units); i++ {
		if model.CompareUnits(units[i-1].Unit, units[i].Unit) >= 0 {
			return false
		}
	}
	return true
}

// compare finds what leads from one sorted list to another.
func compare(id model.RelationID, was, is []effect.Remote) SeenChange {
	d := SeenChange{Relation: id}
	for _, u := range is {
		for len(was) > 0 && model.CompareUnits(was[0].Unit, u.Unit) < 0 {
			d.Left, was = append(d.Left, was[0].Unit), was[1:]
		}
		known := len(was) > 0 && was[0].Unit == u.Unit
		if !known || !sameRemote(was[0], u) {
			d.New = append(d.New, u)
		}
		if known {
			was = was[1:]
		}
	}
	for _, u := range was {
		d.Left = append(d.Left, u.Unit)
	}
	return d
}

func sameRemote(a, b effect.Remote) bool {
	return a.Unit == b.Unit && a.Life == b.Life && a.Gone == b.Gone && a.Address == b.Address && maps.Equal(a.Bag, b.Bag)
}

// apply makes the change in a sorted list. What stays is shared.
func (d SeenChange) apply(was []effect.Remote) []effect.Remote {
	if len(d.Left)+len(d.New) == 0 {
		return was
	}
	units := make([]effect.Remote, 0, len(was)+len(d.New))
	left, fresh := d.Left, d.New
	for _, u := range was {
		for len(fresh) > 0 && model.CompareUnits(fresh[0].Unit, u.Unit) < 0 {
			units, fresh = append(units, fresh[0]), fresh[1:]
		}
		switch {
		case len(left) > 0 && left[0] == u.Unit:
			left = left[1:]
		case len(fresh) > 0 && fresh[0].Unit == u.Unit:
			units, fresh = append(units, fresh[0]), fresh[1:]
		default:
			units = append(units, u)
		}
	}
	if units = append(units, fresh...); len(units) == 0 {
		return nil
	}
	return units
}

// changed is the intent that a change makes of the journal's.
func (j Journal) changed(c Change) effect.Intent {
	in := c.Intent
	in.Spec = in.Spec.WithoutUnits() // a slice of its own
	for i, r := range in.Spec.Relations {
		d := SeenChange{Relation: r.ID}
		if at := slices.IndexFunc(c.Seen, func(d SeenChange) bool { return d.Relation == r.ID }); at >= 0 {
			d = c.Seen[at]
		}
		in.Spec.Relations[i].Units = d.apply(unitsOf(j.Intent.Spec, r.ID))
	}
	return in
}

func unitsOf(s effect.Spec, id model.RelationID) []effect.Remote {
	for _, r := range s.Relations {
		if r.ID == id {
			return r.Units
		}
	}
	return nil
}
