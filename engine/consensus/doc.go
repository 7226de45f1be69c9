// Package consensus commits commands to a replicated log and applies them to
// the state: hashicorp/raft over raft-wal, also for a single controller. It is
// the only package that knows raft.
//
// A command whose Propose returned without an error is on the disks of a
// majority and is never lost. Many proposers share an entry and so an fsync.
package consensus
