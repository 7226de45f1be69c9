// Package controller is the composition root of the control plane: consensus,
// the solver's loop, the sessions of agents and the server, wired by hand.
//
// What leads runs under one context that ends with the leadership: the solver,
// the pushing of intents, and every session. Agents then find who leads next.
package controller
