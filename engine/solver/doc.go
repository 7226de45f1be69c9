// Package solver turns what operators declared into what follows from it:
// units, machines, leaders, turns, departures; and the intent of every unit.
//
// It is pure. Solve reads a state and what agents last reported, and returns
// the commands that are missing; once they are applied it returns none. It
// works from what changed: see Dirty.
package solver
