package effect

import (
	"slices"
	"strings"
)

// departures are the steps that undo what left Desired, and what a file or
// software left at its former path. Software stays for a service that goes on
// with it.
func (d *differ) departures() {
	for _, a := range slices.Backward(d.was.entries) {
		id := a.Effect.ID()
		n, wanted := d.byID[id]
		switch {
		case wanted && !moved(a.Effect, n.Effect):
			continue
		case a.Effect.Task != nil && !d.undoes(a):
			continue
		case (!wanted || a.Effect.Software != nil) && d.needed(id):
			continue
		}
		d.depart(a)
	}
}

// moved reports whether an effect is wanted elsewhere than it was.
func moved(was, is Effect) bool {
	return (was.File != nil || was.Software != nil) && was.place() != is.place()
}

// undoes reports whether an entry speaks for its task: the newest key that has
// an Undo does.
func (d *differ) undoes(a Applied) bool {
	newest := a
	for _, other := range d.was.entries {
		if other.Effect.ID() == a.Effect.ID() && other.Effect.Task.Undo != nil {
			newest = other
		}
	}
	return a.Effect.Task.Undo != nil && newest.key() == a.key()
}

func (d *differ) depart(a Applied) {
	step := Step{Kind: Remove, ID: a.Effect.ID(), Effect: a.Effect, Why: "no longer wanted"}
	switch a.Effect.kind() {
	case taskKind:
		t := a.Effect.Task
		if t.Scope == ApplicationScope && !d.seen.Live.Leader {
			return
		}
		step.Kind, step.Disrupts, step.Turn = Undo, t.Turn != nil, t.Turn
	case volumeKind:
		step.Kind = Release
		incarnation := strings.TrimPrefix(d.seen.Volumes[step.ID], VolumeStamped)
		if d.warranted(step.ID, incarnation) && incarnation == a.Effect.Volume.Incarnation {
			step.Kind, step.Destroys, step.Why = Destroy, true, "no longer wanted, and warranted"
		}
	case serviceKind:
		step.Disrupts = d.seen.Services[step.ID].Running
		if step.Disrupts {
			step.Turn = a.Effect.Service.Turn
		}
	}
	d.add(step)
}

// needed reports whether an effect that stays, but cannot change now, was
// applied on top of this one.
func (d *differ) needed(id ID) bool {
	for _, a := range d.was.entries {
		if _, wanted := d.byID[a.Effect.ID()]; wanted && d.blocked[a.Effect.ID()] && slices.Contains(d.rests(a.Effect), id) {
			return true
		}
	}
	return false
}
