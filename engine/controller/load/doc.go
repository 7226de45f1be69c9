// Package load holds the benchmarks of a controller under many agents. The
// controller runs in a process of its own, so that its memory and processor
// time are told apart from those of the agents, which are simulated: each has
// a certificate, a connection over mutual TLS and a session, and reports what
// it is told as settled at once.
package load
