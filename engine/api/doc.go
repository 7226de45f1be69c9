// Package api answers every request once, whatever transport it came by: it
// decides whether the caller may, proposes what changes the model, and reads
// what is asked for.
//
// A transport authenticates the caller and calls Service.Admit, which decides
// by the permission that the method declares. Every method of Service then
// checks that its context was admitted for what it does: one that was not is
// denied.
package api
