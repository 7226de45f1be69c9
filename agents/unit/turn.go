package unit

import (
	"cmp"
	"slices"

	"github.com/gantry-orchestrator/gantry/model/effect"
)

// granted reports whether the unit holds a turn.
func (v view) granted(name string) bool {
	return slices.ContainsFunc(v.Journal.Intent.Live.Grants, func(g effect.Grant) bool { return g.Turn == name })
}

// asks are the turns that the unit wants or still needs, by name. A turn that
// is held is asked for until nothing is left to do and its Clear has held: not
// asking is how it is given back.
func (v view) asks() []effect.Turn {
	var asks []effect.Turn
	wanted := map[string]bool{}
	for _, s := range v.diff.Steps {
		if s.Turn != nil && !wanted[s.Turn.Name] {
			wanted[s.Turn.Name] = true
			asks = append(asks, *s.Turn)
		}
	}
	for _, g := range v.Journal.Intent.Live.Grants {
		turn := v.turn(g.Turn)
		if !wanted[g.Turn] && !v.cleared(turn) {
			wanted[g.Turn] = true
			asks = append(asks, turn)
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
