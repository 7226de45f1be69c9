// Package operate touches the real software for the charm: Patroni's REST API,
// its raft members, pgBackRest and SQL. Everything here may be run again after
// a crash in the middle.
package operate
