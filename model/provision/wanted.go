// Package provision holds what a host agent is told to make: machines, and the
// names that they resolve.
package provision

import (
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// Wanted is what a host agent is to make: all machines, and the names that
// they resolve.
type Wanted struct {
	Machines []Machine  `json:"machines,omitempty"` // by UUID
	Names    []HostName `json:"names,omitempty"`    // by name
	Keep     bool       `json:"keep,omitempty"`     // machines that are not among them are let be
}

// Machine is a machine that should be, until its Life is Dead: then it
// is destroyed and reported gone.
type Machine struct {
	UUID        string            `json:"uuid"`
	Model       model.ModelName   `json:"model"`
	Name        model.MachineName `json:"name"`
	Life        model.Life        `json:"life"`
	Base        string            `json:"base,omitempty"`
	Constraints model.Constraints `json:"constraints,omitzero"`
	Packages    []string          `json:"packages,omitempty"` // that its units' charms have from the start
	Software    []effect.Software `json:"software,omitempty"` // that its units' charms have from the start, until it is ready
	Shared      []Directory       `json:"shared,omitempty"`
	Token       string            `json:"token,omitempty"` // that its agent redeems; empty once it has joined
}

// Directory is a directory of the host that all machines of an
// application see at Path.
type Directory struct {
	Application model.ApplicationName `json:"application"`
	Name        string                `json:"name"`
	Path        string                `json:"path"`
}

// HostName is a name that machines resolve, such as
// postgresql-0.leop.gantry.
type HostName struct {
	Name    string `json:"name"`
	Address string `json:"address"`
}
