package effect

import (
	"fmt"
	"slices"
)

// Diff is what it takes to bring a unit from what its journal says was
// applied, and from what was observed, to what is desired. It is the only
// place that decides this: agents carry its steps out, plans print them.
//
// Once all steps are carried out, in any order that keeps their After, the
// next Diff with the same Desired is empty. What left Desired is undone in
// reverse order of dependency, unless Desired is Partial. Effects of
// application scope are neither added nor removed but by the leader. Desired
// must be valid (Desired.Validate).
func Diff(journal []Applied, seen Observed, want Desired) Difference {
	d := &differ{was: indexApplied(journal), seen: seen, want: want, steps: map[string]Step{}, of: map[ID][]string{}, blocked: map[ID]bool{}}
	d.effects, d.byID = arrange(want.Effects(), d.was)
	for _, e := range d.effects {
		if !d.held(e) {
			d.effect(e)
		}
	}
	d.bags()
	d.records()
	d.secrets()
	if want.Partial == "" {
		d.departures()
	}
	d.connect()
	return Difference{Steps: inOrder(d.steps), Obstacles: d.obstacles}
}

// differ is one Diff at work.
type differ struct {
	was       applied
	seen      Observed
	want      Desired
	effects   []Effect // each after what it needs
	byID      map[ID]node
	steps     map[string]Step // by name
	of        map[ID][]string // names of the steps of an effect
	obstacles []Obstacle
	blocked   map[ID]bool // effects that get no step now, obstacles or held by one
}

func (d *differ) effect(e Effect) {
	switch e.kind() {
	case packageKind:
		d.packaged(*e.Package)
	case softwareKind:
		d.software(*e.Software)
	case fileKind:
		d.file(*e.File)
	case volumeKind:
		d.volume(*e.Volume)
	case serviceKind:
		d.service(*e.Service)
	case taskKind:
		d.task(*e.Task)
	}
}

func (d *differ) add(s Step) {
	d.steps[s.Name()] = s
	d.of[s.ID] = append(d.of[s.ID], s.Name())
}

func (d *differ) obstruct(id ID, person bool, format string, args ...any) {
	d.blocked[id] = true
	d.obstacles = append(d.obstacles, Obstacle{ID: id, Reason: fmt.Sprintf(format, args...), Person: person})
}

// held reports whether an effect must wait because something that it needs is
// in the way; then so must what needs it.
func (d *differ) held(e Effect) bool {
	needs := e.needs()
	if n, ok := d.byID[e.ID()]; ok {
		needs = n.needs
	}
	if slices.ContainsFunc(needs, func(id ID) bool { return d.blocked[id] }) {
		d.blocked[e.ID()] = true
		return true
	}
	return false
}

func (d *differ) packaged(p Package) {
	_, ours := d.was.byID[p.ID]
	have, installed := d.seen.Packages[p.Name]
	why := ""
	switch {
	case !installed:
		why = "not installed"
	case p.Version != "" && have != p.Version:
		why = fmt.Sprintf("version %s, wanted %s", have, p.Version)
	case !ours:
		why = "not counted for this unit yet"
	default:
		d.keep(Effect{Package: &p})
		return
	}
	d.add(Step{Kind: Install, ID: p.ID, Effect: Effect{Package: &p}, Why: why})
}

// keep brings the journal up to date with an effect that is as it should be.
func (d *differ) keep(e Effect) {
	if d.was.byID[e.ID()].stale(e) {
		d.add(Step{Kind: Update, ID: e.ID(), Effect: e, Why: "what is kept of it changed"})
	}
}

func (d *differ) file(f File) {
	e := Effect{File: &f}
	was, ours := d.was.byID[f.ID]
	drift, drifted := d.seen.Drifted[f.ID]
	why := ""
	switch {
	case !ours:
		why = "new"
	case was.Effect.Hash() != e.Hash():
		why = "changed"
	case drifted:
		why = "drifted: " + drift
	default:
		d.keep(e)
		return
	}
	d.add(Step{Kind: Write, ID: f.ID, Effect: e, Why: why})
}

func (d *differ) warranted(id ID, incarnation string) bool {
	return slices.ContainsFunc(d.seen.Live.Warrants, func(w Warrant) bool { return w.Permits(id, incarnation) })
}
