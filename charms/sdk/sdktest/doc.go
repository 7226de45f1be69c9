// Package sdktest runs charms without machines. A Model is one application of
// a charm in memory: its units' hosts carry out what the charm wants through
// the same effect.Diff as real agents, bags and records pass between the
// units, probes are answered by the charm's twin, and turns, holds and orders
// go their way.
//
//	func TestBeacon(t *testing.T) {
//		m := sdktest.New(t, builtin, sdktest.Scenario{Units: 3})
//		m.Settle()
//		m.Golden("three")
//	}
//
// Check holds a charm to the invariants that every charm must keep.
package sdktest
