// Package effect holds what passes between the engine, an agent and a charm:
// the Intent of a unit, the Input of Reconcile, the Desired that it returns
// and the kinds of effect in it. It is pure; docs/CHARMS.md says what each
// noun means.
//
// Every type travels and is journaled as JSON, and its fields keep their
// meaning: what is added is optional.
package effect
