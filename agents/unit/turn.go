package unit

import (
	"cmp"
	"slices"

	"github.com/gantry-orchestrator/gantry/model/effect"
)

// split divides the intent's grants into those that the unit may act under and
// those that it has given back, which the intent shows until they are taken.
func (j Journal) split() (held, returned []effect.Grant) {
	for _, g := range j.Intent.Live.Grants {
		if token, given := j.Returned[g.Turn]; given && token == g.Token {
			returned = append(returned, g)
		} else {
			held = append(held, g)
		}
	}
	return held, returned
}

// granted reports whether the unit may act under a turn.
func (v view) granted(name string) bool {
	held, _ := v.Journal.split()
	return slices.ContainsFunc(held, func(g effect.Grant) bool { return g.Turn == name })
}

// giveBack returns the turns that nothing is left to do under, and whose Clear
// has held.
func (v view) giveBack() []Action {
	held, _ := v.Journal.split()
	done := slices.DeleteFunc(held, func(g effect.Grant) bool { return !v.cleared(v.turn(g.Turn)) })
	if len(done) == 0 {
		return nil
	}
	return []Action{GiveBack{Grants: done}}
}

// asks are the turns that the unit wants or still needs, by name: a turn is
// asked for until it is given back.
func (v view) asks() []effect.Turn {
	var asks []effect.Turn
	wanted := map[string]bool{}
	for _, s := range v.diff.Steps {
		if s.Turn != nil && !wanted[s.Turn.Name] {
			wanted[s.Turn.Name] = true
			asks = append(asks, *s.Turn)
		}
	}
	held, _ := v.Journal.split()
	for _, g := range held {
		if !wanted[g.Turn] {
			wanted[g.Turn] = true
			asks = append(asks, v.turn(g.Turn))
		}
	}
	slices.SortFunc(asks, func(a, b effect.Turn) int { return cmp.Compare(a.Name, b.Name) })
	return asks
}

// turn is a turn as the charm or the journal describes it.
func (v view) turn(name string) effect.Turn {
	find := func(e effect.Effect) *effect.Turn {
		switch {
		case e.Service != nil && e.Service.Turn != nil && e.Service.Turn.Name == name:
			return e.Service.Turn
		case e.Task != nil && e.Task.Turn != nil && e.Task.Turn.Name == name:
			return e.Task.Turn
		}
		return nil
	}
	for _, e := range v.Answer.Desired.Effects() {
		if t := find(e); t != nil {
			return *t
		}
	}
	for _, a := range slices.Backward(v.Journal.Applied) {
		if t := find(a.Effect); t != nil {
			return *t
		}
	}
	return effect.Turn{Name: name}
}

// cleared reports whether a held turn may be given back.
func (v view) cleared(t effect.Turn) bool {
	if !v.quiet() {
		return false
	}
	if t.Clear == "" {
		return true
	}
	f, known := v.input.Facts[t.Clear]
	return known && f.Value == "true" && v.Read[t.Clear]
}
