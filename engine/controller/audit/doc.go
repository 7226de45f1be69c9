// Package audit is one controller's record of every request: files to which
// lines are added and nothing else, each line bound to the one before by a
// hash. How far it has come is committed in the log of all controllers, so that
// what is altered, removed, cut off or written anew on one disk is found.
package audit
