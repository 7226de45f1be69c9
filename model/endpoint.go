package model

import "fmt"

// Role is which end of a relation an endpoint is.
type Role string

// The roles of Juju's charm metadata.
const (
	Provides Role = "provides"
	Requires Role = "requires"
	Peer     Role = "peer"
)

// Scope says between whom a relation's data flows.
type Scope string

// A global relation joins every unit of both applications; a container
// relation only those that share a machine (a subordinate and its principal).
const (
	GlobalScope    Scope = "global"
	ContainerScope Scope = "container"
)

// Counterpart is the role that may be at the other end.
func (r Role) Counterpart() Role {
	switch r {
	case Provides:
		return Requires
	case Requires:
		return Provides
	default:
		return r
	}
}

// Endpoint is a named end of a charm, as its metadata declares it.
type Endpoint struct {
	Name      EndpointName  `json:"name"`
	Interface InterfaceName `json:"interface"`
	Role      Role          `json:"role"`
	Scope     Scope         `json:"scope,omitempty"` // empty means global
	Limit     int           `json:"limit,omitempty"` // how many relations it takes; 0 means any number
	Optional  bool          `json:"optional,omitempty"`
}

// String reads as metadata does, for messages.
func (e Endpoint) String() string {
	return fmt.Sprintf("%s (%s %s)", e.Name, e.Role, e.Interface)
}
