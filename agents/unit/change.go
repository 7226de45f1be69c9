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

// SeenChange is how the units of a relation differ. They stay sorted by name.
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
		d := compare(r.ID, was, r.Units)
		if !slices.EqualFunc(d.apply(was), r.Units, sameRemote) {
			return Entry{Intent: &in} // they are in another order
		}
		if len(d.Left)+len(d.New) > 0 {
			c.Seen = append(c.Seen, d)
		}
	}
	return Entry{Change: &c}
}

// compare finds what leads from one list to another.
func compare(id model.RelationID, was, is []effect.Remote) SeenChange {
	d := SeenChange{Relation: id}
	old := map[model.UnitName]effect.Remote{}
	for _, u := range was {
		old[u.Unit] = u
	}
	for _, u := range is {
		if before, known := old[u.Unit]; !known || !sameRemote(before, u) {
			d.New = append(d.New, u)
		}
		delete(old, u.Unit)
	}
	d.Left = slices.SortedFunc(maps.Keys(old), model.CompareUnits)
	return d
}

func sameRemote(a, b effect.Remote) bool {
	return a.Unit == b.Unit && a.Life == b.Life && a.Gone == b.Gone && a.Address == b.Address && maps.Equal(a.Bag, b.Bag)
}

// apply returns a list with the change made. What did not change is shared.
func (d SeenChange) apply(was []effect.Remote) []effect.Remote {
	replaced := map[model.UnitName]bool{}
	for _, name := range d.Left {
		replaced[name] = true
	}
	for _, u := range d.New {
		replaced[u.Unit] = true
	}
	var units []effect.Remote
	for _, u := range was {
		if !replaced[u.Unit] {
			units = append(units, u)
		}
	}
	if len(d.New) == 0 {
		return units
	}
	units = append(units, d.New...)
	slices.SortFunc(units, func(a, b effect.Remote) int { return model.CompareUnits(a.Unit, b.Unit) })
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
