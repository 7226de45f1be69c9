// Package history keeps what happened: committed changes, how entities fared,
// operations and their results, who asked for what, and what agents wrote. It
// is the only package that knows dqlite and SQLite.
//
// The model never waits for it. One writer takes rows from a bounded buffer
// and writes them in batches; where the database cannot be written the rows
// wait, and once the buffer is full the oldest log lines go first, counted.
// Every row has a deterministic key, so that a batch of unknown outcome is
// written again without a second effect.
//
// With cgo and the tag dqlite the rows are replicated on the controllers'
// members; else they are in one file of this controller.
package history
