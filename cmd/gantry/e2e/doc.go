// Package e2e holds the tests on real software. They drive the built binary
// as an operator does, over sandbox machines with real PostgreSQL, break what
// may break, and count what was lost. They need root and are not run with
// -short.
//
// A line "figure: NAME VALUE UNIT (GOAL)" of the output is a measurement. No
// test asserts one: a bound of five times its target is there against hanging.
package e2e
