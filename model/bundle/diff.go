package bundle

import (
	"cmp"
	"slices"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/charm"
)

// Diff returns the changes that make a model, exported as current, what
// desired declares, in the order to make them: machines, applications from
// their charm to their exposure, relations, removals. Neither the order within
// the bundles nor a map's order shows in it.
//
// What desired does not say stays as it is. What it no longer has is removed
// with prune only, and so are options, annotations, constraints, trust and
// exposure that it does not say; units are never changed but to a number that
// it does say. Placements matter for new units alone, since units do not move,
// and the platform and constraints of a machine for new machines alone. The
// fields that Unsupported refuses are not compared.
func Diff(current, desired *Bundle, prune bool) []Change {
	d := differ{current: current, desired: desired, prune: prune}
	d.machines()
	d.applications()
	d.relations()
	if prune {
		d.removals()
	}
	return d.changes
}

type differ struct {
	current, desired *Bundle
	prune            bool
	changes          []Change
}

func (d *differ) add(c Change) { d.changes = append(d.changes, c) }

func (d *differ) machines() {
	for _, m := range slices.SortedFunc(slices.Values(d.desired.Machines), compareMachines) {
		if _, ok := d.current.Machine(m.Name); !ok {
			d.add(AddMachine{m})
		}
	}
}

func byName(b *Bundle) []Application {
	return slices.SortedFunc(slices.Values(b.Applications), func(a, b Application) int { return cmp.Compare(a.Name, b.Name) })
}

func (d *differ) applications() {
	desired := byName(d.desired)
	for _, want := range desired {
		if _, ok := d.current.Application(want.Name); !ok {
			d.add(AddApplication{want})
		}
	}
	for _, want := range desired {
		if have, ok := d.current.Application(want.Name); ok {
			d.application(have, want)
		}
	}
}

func (d *differ) application(have, want Application) {
	if charmChanged(have, want) {
		d.add(SetCharm{want.Name, have.Charm, want.Charm, want.Channel, want.Revision})
	}
	if from, to, changed := change(have.Constraints, want.Constraints, d.prune); changed {
		d.add(SetConstraints{want.Name, from, to})
	}
	d.options(have, want)
	if _, to, changed := change(have.Trust, want.Trust, d.prune); changed {
		d.add(SetTrust{want.Name, to})
	}
	d.annotations(have, want)
	if want.Units != nil && have.UnitCount() != *want.Units {
		d.add(Scale{want.Name, have.UnitCount(), *want.Units, want.To})
	}
	if _, to, changed := change(have.Expose, want.Expose, d.prune); changed {
		d.add(SetExposed{want.Name, to})
	}
}

func charmChanged(have, want Application) bool {
	return want.Charm != have.Charm ||
		want.Channel != "" && want.Channel != have.Channel ||
		want.Revision != nil && (have.Revision == nil || *want.Revision != *have.Revision)
}

// change compares two values of which either may be unsaid. An unsaid value is
// zero in the model, and no wish in the bundle but with prune.
func change[T comparable](have, want *T, prune bool) (from, to T, changed bool) {
	if have != nil {
		from = *have
	}
	if want == nil {
		return from, to, prune && from != to
	}
	return from, *want, from != *want
}

func (d *differ) options(have, want Application) {
	set, reset := mapDiff(have.Options, want.Options, d.prune)
	if len(set)+len(reset) > 0 {
		d.add(SetConfig{want.Name, charm.Settings(set), reset})
	}
}

func (d *differ) annotations(have, want Application) {
	set, remove := mapDiff(have.Annotations, want.Annotations, d.prune)
	if len(set)+len(remove) > 0 {
		d.add(SetAnnotations{want.Name, set, remove})
	}
}

// mapDiff returns the entries to set and, with prune, the keys to remove.
func mapDiff[M ~map[string]V, V comparable](have, want M, prune bool) (set map[string]V, remove []string) {
	for key, v := range want {
		if old, ok := have[key]; !ok || old != v {
			if set == nil {
				set = map[string]V{}
			}
			set[key] = v
		}
	}
	for key := range have {
		if _, ok := want[key]; !ok && prune {
			remove = append(remove, key)
		}
	}
	slices.Sort(remove)
	return set, remove
}

func (d *differ) relations() {
	for _, want := range sortedRelations(d.desired.Relations) {
		if !slices.ContainsFunc(d.current.Relations, want.Covers) {
			d.add(AddRelation{want})
		}
	}
}

func sortedRelations(all []Relation) []Relation {
	var sorted []Relation
	for _, r := range all {
		sorted = append(sorted, r.sorted())
	}
	slices.SortFunc(sorted, func(a, b Relation) int { return cmp.Compare(a.String(), b.String()) })
	return slices.Compact(sorted)
}

func (d *differ) removals() {
	for _, have := range sortedRelations(d.current.Relations) {
		wanted := slices.ContainsFunc(d.desired.Relations, func(want Relation) bool { return want.Covers(have) })
		if !wanted && d.stays(have[0].Application) && d.stays(have[1].Application) {
			d.add(RemoveRelation{have})
		}
	}
	for _, have := range byName(d.current) {
		if !d.stays(have.Name) {
			d.add(RemoveApplication{have.Name})
		}
	}
	for _, have := range slices.SortedFunc(slices.Values(d.current.Machines), compareMachines) {
		if _, ok := d.desired.Machine(have.Name); !ok && !d.occupied(have.Name) {
			d.add(RemoveMachine{have.Name})
		}
	}
}

func (d *differ) stays(name model.ApplicationName) bool {
	_, ok := d.desired.Application(name)
	return ok
}

// occupied reports whether a unit that stays is on the machine.
func (d *differ) occupied(machine model.MachineName) bool {
	return slices.ContainsFunc(d.current.Applications, func(a Application) bool {
		return d.stays(a.Name) && slices.ContainsFunc(a.To, func(p Placement) bool { return p.Target == Target(OnMachine{machine}) })
	})
}
