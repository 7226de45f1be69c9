package effect

import (
	"maps"
	"slices"
)

// Applied is an entry of a unit's journal: an effect that was performed, with
// all that it takes to undo it.
type Applied struct {
	Effect Effect        `json:"effect"`
	Loaded map[ID]string `json:"loaded,omitempty"` // of a service: hashes of what it has read, by RestartOn and ReloadOn
	Open   bool          `json:"open,omitempty"`   // of a task: started, outcome unknown
	Former string        `json:"former,omitempty"` // the performer's own: what was there before
}

// key tells entries apart: a task has one for each key that was done.
func (a Applied) key() string {
	if t := a.Effect.Task; t != nil {
		return string(t.Scope) + "\x00" + string(t.ID) + "\x00" + t.Key
	}
	return string(a.Effect.ID())
}

// Opened is the journal once a task's run is about to begin.
func Opened(journal []Applied, s Step) []Applied {
	return put(journal, Applied{Effect: s.Effect, Open: true})
}

// Journaled is the journal once a step is done. The entries stay in the order
// in which their effects were first performed.
func Journaled(journal []Applied, s Step) []Applied {
	switch s.Kind {
	case Publish, Propose, Mint:
		return journal
	case Remove, Release, Destroy:
		return slices.DeleteFunc(slices.Clone(journal), func(a Applied) bool {
			return a.Effect.ID() == s.ID && a.Effect.place() == s.Effect.place()
		})
	case Undo:
		return slices.DeleteFunc(slices.Clone(journal), func(a Applied) bool { return a.Effect.ID() == s.ID && a.Effect.Task.Undo != nil })
	default:
		return put(journal, Applied{Effect: s.Effect, Loaded: s.Loaded})
	}
}

// stale reports whether the entry says something else of an effect than is
// wanted now, though the effect itself is as it should be: its order, its undo.
func (a Applied) stale(want Effect) bool { return hashOf(a.Effect) != hashOf(want) }

// put replaces the entry of the same key, or adds one at the end, so that the
// last entry of an ID is the newest. A file whose path changed keeps its former
// place as an entry of its own until that is removed.
func put(journal []Applied, a Applied) []Applied {
	next := slices.Clone(journal)
	i := slices.IndexFunc(next, func(old Applied) bool {
		return old.key() == a.key() && old.Effect.place() == a.Effect.place()
	})
	if i < 0 {
		return append(next, a)
	}
	a.Former = next[i].Former
	if slices.ContainsFunc(next[i+1:], func(later Applied) bool { return later.Effect.ID() == a.Effect.ID() }) {
		return append(slices.Delete(next, i, i+1), a)
	}
	next[i] = a
	return next
}

// applied finds effects in a journal.
type applied struct {
	entries []Applied
	byID    map[ID]Applied // the newest of each
	done    map[string]Applied
}

func indexApplied(journal []Applied) applied {
	x := applied{entries: journal, byID: map[ID]Applied{}, done: map[string]Applied{}}
	for _, a := range journal {
		x.byID[a.Effect.ID()] = a
		x.done[a.key()] = a
	}
	return x
}

// task is the entry of a task under its key.
func (x applied) task(t Task) (Applied, bool) {
	a, ok := x.done[Applied{Effect: Effect{Task: &t}}.key()]
	return a, ok
}

// ids are those of all entries, in the order of the journal.
func (x applied) ids() []ID {
	var ids []ID
	seen := map[ID]bool{}
	for _, a := range x.entries {
		if id := a.Effect.ID(); !seen[id] {
			seen[id] = true
			ids = append(ids, id)
		}
	}
	return ids
}

func sortedIDs[V any](m map[ID]V) []ID { return slices.Sorted(maps.Keys(m)) }
