// Package sim runs a whole model without a machine: the state and the solver
// of a controller, the step functions of agents, the charms and their twins,
// in virtual time. One seed decides all that chance decides, and one heap
// holds all that is to happen: the same scenario gives the same bytes.
//
// After every event it checks what must always hold; see invariant.go. A
// failure is found again by its seed.
package sim
