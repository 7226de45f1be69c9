// Package cli is the operator's command line: one file a command, with its
// options, its constructor and its run. Main gives errors their exit code, and
// a shell holds what every command shares: streams, global flags, formats.
//
// It speaks to a controller through engine/client alone.
package cli
