// Package trace follows what an operator asks for: the command, the request,
// the commit, the solver's round, the push to agents and what they did. Between
// processes it travels as W3C Trace Context; within a controller by the revision
// that is the cause of all that follows. Nobody traces unless a place for spans
// is named: then a nil *Tracer is all there is, and costs nothing.
package trace
