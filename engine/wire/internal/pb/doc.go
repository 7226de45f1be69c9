// Package pb is the protobuf form of the API and of the agent streams,
// generated from engine/wire/proto. Only package wire converts to and from it.
package pb

//go:generate sh generate.sh
