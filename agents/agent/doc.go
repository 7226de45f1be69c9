// Package agent is the machine agent: it carries the intents of a machine's
// units out, and tells the controller how they fare.
//
// How it holds together: Run keeps a handful of loops. session.go talks to the
// controller and hands intents to units; each unit has one loop (unit_loop.go)
// that owns its journal and state, asks agents/unit what to do, and has
// workers do it through agents/perform, the supervisor and the charm host.
//
// An agent may be killed at any time. Services belong to the supervisor and
// are adopted by identity; everything else is in the units' journals.
// Without a controller an agent goes on from the last intents.
package agent
