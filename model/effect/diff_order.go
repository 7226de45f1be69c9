package effect

import (
	"maps"
	"slices"
)

// node is an effect with all that it needs, places included.
type node struct {
	Effect
	needs []ID
}

// arrange puts effects after what they need. What lies in a wanted directory
// or volume needs that, and so does a service the volume that it was on. A
// cycle, which Validate refuses, is cut.
func arrange(all []Effect, was applied) ([]Effect, map[ID]node) {
	byID := map[ID]node{}
	for _, e := range all {
		byID[e.ID()] = node{Effect: e, needs: slices.Concat(e.needs(), around(e, all))}
	}
	for _, e := range all {
		old := was.byID[e.ID()].Effect.Service
		if old == nil || old.Volume == "" || reaches(byID, old.Volume, e.ID()) {
			continue
		}
		n := byID[e.ID()]
		n.needs = append(n.needs, old.Volume)
		byID[e.ID()] = n
	}
	var out []Effect
	visited := map[ID]bool{}
	var visit func(ID)
	visit = func(id ID) {
		n, ok := byID[id]
		if !ok || visited[id] {
			return
		}
		visited[id] = true
		for _, need := range n.needs {
			visit(need)
		}
		out = append(out, n.Effect)
	}
	for _, e := range all {
		visit(e.ID())
	}
	return out, byID
}

// reaches reports whether an effect needs another, by way of others too.
func reaches(byID map[ID]node, from, to ID) bool {
	visited := map[ID]bool{}
	var visit func(ID) bool
	visit = func(id ID) bool {
		if id == to || visited[id] {
			return id == to
		}
		visited[id] = true
		return slices.ContainsFunc(byID[id].needs, visit)
	}
	return visit(from)
}

// around are the directories and volumes that an effect's path lies in.
func around(e Effect, all []Effect) []ID {
	if e.place() == "" {
		return nil
	}
	var ids []ID
	for _, other := range all {
		if other.holds(e) {
			ids = append(ids, other.ID())
		}
	}
	return ids
}

// rests are all that an applied effect was applied on top of.
func (d *differ) rests(e Effect) []ID {
	var entries []Effect
	for _, a := range d.was.entries {
		entries = append(entries, a.Effect)
	}
	return slices.Concat(e.needs(), around(e, entries))
}

// connect gives every step its After: what adds comes after what it needs,
// what takes away after what rested on it.
func (d *differ) connect() {
	above := d.restingOn()
	for _, name := range slices.Sorted(maps.Keys(d.steps)) {
		s := d.steps[name]
		after := map[string]bool{}
		switch {
		case s.Undoes():
			d.follow(s.ID, after, map[ID]bool{s.ID: true}, func(id ID) []ID { return above[id] }, d.endings)
			for _, own := range d.of[s.ID] {
				after[own] = own != name && !d.steps[own].Undoes()
			}
		case s.Kind == Stop:
			d.follow(s.ID, after, map[ID]bool{s.ID: true}, func(id ID) []ID { return above[id] }, d.stops)
		default:
			d.follow(s.ID, after, map[ID]bool{s.ID: true}, d.needsOf(s), d.adds)
			if s.Kind == Wipe {
				d.afterStops(s.ID, after)
			}
		}
		delete(after, name)
		for other, yes := range after {
			if yes {
				s.After = append(s.After, other)
			}
		}
		slices.Sort(s.After)
		d.steps[name] = s
	}
	d.uncross()
}

// uncross gives up the least of the rules of order where a Desired turned
// around what needs what, so that they cannot all be kept: that what leaves
// goes only after what it carried has changed over.
func (d *differ) uncross() {
	for _, name := range slices.Sorted(maps.Keys(d.steps)) {
		s := d.steps[name]
		if !s.Undoes() {
			continue
		}
		s.After = slices.DeleteFunc(s.After, func(before string) bool {
			b := d.steps[before]
			return !b.Undoes() && b.Kind != Stop && d.waits(before, name)
		})
		d.steps[name] = s
	}
}

// waits reports whether a step comes after another, by way of others too.
func (d *differ) waits(name, forStep string) bool {
	visited := map[string]bool{}
	var visit func(string) bool
	visit = func(n string) bool {
		if visited[n] {
			return false
		}
		visited[n] = true
		return n == forStep || slices.ContainsFunc(d.steps[n].After, visit)
	}
	return visit(name)
}

func (d *differ) needsOf(s Step) func(ID) []ID {
	return func(id ID) []ID {
		if n, ok := d.byID[id]; ok {
			return n.needs
		}
		if id == s.ID {
			return s.Effect.needs()
		}
		return nil
	}
}

// follow collects the steps of everything that next leads to, through effects
// that have no step of their own.
func (d *differ) follow(id ID, into map[string]bool, visited map[ID]bool, next func(ID) []ID, pick func([]string) []string) {
	for _, n := range next(id) {
		if visited[n] {
			continue
		}
		visited[n] = true
		names := pick(d.of[n])
		for _, name := range names {
			into[name] = true
		}
		if len(names) == 0 {
			d.follow(n, into, visited, next, pick)
		}
	}
}

// restingOn is, for each ID, the applied effects that were applied on top of
// it, by the newest entry of each.
func (d *differ) restingOn() map[ID][]ID {
	above := map[ID][]ID{}
	for _, id := range d.was.ids() {
		for _, below := range d.rests(d.was.byID[id].Effect) {
			above[below] = append(above[below], id)
		}
	}
	return above
}

// adds are those of an effect's steps that bring it about.
func (d *differ) adds(names []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return d.steps[name].Undoes() })
}

// stops are those of an effect's steps that end it, for now or for good. That
// a file leaves its former path is not its end.
func (d *differ) stops(names []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		s := d.steps[name]
		_, wanted := d.byID[s.ID]
		return s.Kind != Stop && (!s.Undoes() || wanted)
	})
}

// endings are the steps after which an effect no longer rests on what it was
// applied on: those that end it, else those that change it.
func (d *differ) endings(names []string) []string {
	if ends := d.stops(names); len(ends) > 0 {
		return ends
	}
	return names
}

func (d *differ) afterStops(volume ID, into map[string]bool) {
	for name, s := range d.steps {
		if old := d.was.byID[s.ID].Effect.Service; s.Kind == Stop && old != nil && old.Volume == volume {
			into[name] = true
		}
	}
}

// inOrder sorts steps so that each comes after its After; among those that
// could come next, by name.
func inOrder(steps map[string]Step) []Step {
	var out []Step
	done := map[string]bool{}
	var visit func(string)
	visit = func(name string) {
		s, ok := steps[name]
		if !ok || done[name] {
			return
		}
		done[name] = true
		for _, before := range s.After {
			visit(before)
		}
		out = append(out, s)
	}
	for _, name := range slices.Sorted(maps.Keys(steps)) {
		visit(name)
	}
	return out
}
