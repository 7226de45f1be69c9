// Package unit decides what an agent does next for one unit. Step is a pure
// function of a State: the unit's journal, its intent, debounced facts, the
// charm's answer and what is observed on the host. It is level-triggered: it
// returns the actions that bring the host nearer to what is desired, leaving
// out those under way, and none once the unit is settled.
//
// An action is data. Whoever carries it out, the agent or the simulator,
// journals an Entry where the action's comment says so, puts the outcome into
// the State and asks Step again. A crash at any point loses the State but for
// the journal; Step then goes on from there.
//
// docs/CHARMS.md gives the rules.
package unit
