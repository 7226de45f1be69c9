// Package state is Gantry's replicated state machine: a deterministic value
// over immutable radix trees. Apply is the only way to change it; a copy of a
// State is a snapshot, and costs nothing.
//
// Given the same commands two replicas encode to the same bytes. The package
// reads no clock, draws no random numbers, starts no goroutine and does no
// I/O: the proposer stamps the time and makes the identities.
//
// What an accessor returns is a copy of the row, but its maps and slices are
// shared with the state: treat them as read-only.
package state
