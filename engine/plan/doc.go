// Package plan says what a change would do before it is made: where units
// would go, and what would be written, restarted and run on which machine, in
// which order.
//
// It applies the change to a fork of the state, solves that to its end and
// carries the intents out in thought: charms are asked, their answers are
// compared by effect.Diff, and each step is taken to come out as it should.
// What probes would then read comes from a twin of the workload where there is
// one, else from what tasks yield, else from what a running service is taken
// to be. Nothing is proposed and no machine is touched.
package plan
