// Package client is the Go client of a controller: for operators, for agents
// and for host agents, each over mutual TLS with the identity of a context
// file. Errors keep their model class across the wire, so errors.Is works.
package client
