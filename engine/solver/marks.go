package solver

import (
	"maps"

	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/engine/state/tables"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// Marks keeps by what the intent of each unit is known, so that only those
// that a change affects are made anew. It holds for the states of one log. The
// zero value has followed none: what is asked of it is made each time.
type Marks struct {
	at     state.State // that it has followed to
	known  map[state.UnitRef]mark
	making *Intents // of the state that was asked for last
}

// mark is by what an intent is known, and from which index on.
type mark struct {
	effect.Known
	wanted bool
	since  uint64
}

// Begin follows a log from a state on, and forgets what was known.
func (m *Marks) Begin(s state.State) {
	*m = Marks{at: s, known: map[state.UnitRef]mark{}}
}

// Follow goes on to a state, in which all that changed since the last one is
// changed.
func (m *Marks) Follow(s state.State, changed []state.Key) {
	for _, u := range Affected(s, changed) {
		delete(m.known, u)
	}
	for _, k := range changed {
		if k.Table == tables.Model && networkOf(m.at, k.Model) != networkOf(s, k.Model) {
			maps.DeleteFunc(m.known, func(u state.UnitRef, _ mark) bool { return u.Model == k.Model })
		}
	}
	m.at = s
}

// networkOf is what the intents of all units of a model have of its row.
func networkOf(s state.State, m model.ModelName) string {
	row, _ := s.Model(m)
	return row.CIDR
}

// Index is that of the state that was followed to, 0 before any.
func (m *Marks) Index() uint64 {
	if m.known == nil {
		return 0
	}
	return m.at.Index()
}

// of is by what the intent of a unit is known in a state. wanted is false where
// it has none.
func (m *Marks) of(s state.State, u state.UnitRef) (known effect.Known, wanted bool) {
	if k, ok := m.known[u]; ok && k.since <= s.Index() && s.Index() <= m.at.Index() {
		return k.Known, k.wanted
	}
	if m.making == nil || m.making.State != s {
		m.making = NewIntents(s)
	}
	intent, wanted := m.making.Of(u)
	known = effect.Known{Unit: u.Unit, Generation: intent.Generation, Hash: intent.Hash, Serial: intent.Live.Serial}
	if m.known != nil && s == m.at {
		m.known[u] = mark{known, wanted, s.Index()}
	}
	return known, wanted
}
