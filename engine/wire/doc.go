// Package wire turns Gantry's vocabulary into protobuf and back: of the
// operator's API, of the agent's session and of the host agent's stream. Each
// noun has an interface, a server adapter that calls it, and a client that
// implements it, so that both ends speak in the types of model, model/effect
// and model/operator. Nothing else sees the generated code.
//
// Names are parsed here, so what arrives behind an adapter is well formed.
// Errors keep their class across the wire.
package wire
