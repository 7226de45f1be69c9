// Package charmpb is the generated code of the charm protocol; only package
// plugin uses it.
package charmpb

//go:generate sh generate.sh
