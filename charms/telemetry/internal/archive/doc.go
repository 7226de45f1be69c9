// Package archive writes packets into PostgreSQL so that each is there exactly
// once, through lost connections and failovers, and tells a ledger what it
// knows of every one of them.
package archive
