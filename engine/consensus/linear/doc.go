// Package linear checks what clients saw of a replicated store: whether there
// is one order of all calls, in keeping with time, that explains every answer.
// A driver of real processes tells a History when each call begins and how it
// ends; the simulation of engine/consensus does the same in virtual time.
package linear
