package state

import (
	"time"

	"github.com/gantry-orchestrator/gantry/engine/state/tables"
	"github.com/gantry-orchestrator/gantry/model"
)

// MachineState is how far a machine has come. It is apart from its life: a
// dying machine may still be ready.
type MachineState string

// The states of a machine.
const (
	MachineRequested MachineState = "requested" // the host agent is to make it
	MachineReady     MachineState = "ready"     // its agent has joined
	MachineLost      MachineState = "lost"      // its provider says that it does not run
)

// Machine is a host with an agent. The host agent makes those that are alive
// and destroys those that are dead, by UUID; MachineGone then ends the row.
type Machine struct {
	Stamp
	Model       model.ModelName   `json:"model"`
	Name        model.MachineName `json:"name"`
	UUID        string            `json:"uuid"`
	Life        model.Life        `json:"life,omitempty"`
	State       MachineState      `json:"state"`
	Fenced      bool              `json:"fenced,omitempty"` // an operator vouches that it will not come back
	Since       time.Time         `json:"since,omitzero"`   // when Life or State last changed
	Address     string            `json:"address,omitempty"`
	Constraints model.Constraints `json:"constraints,omitzero"` // that it was asked for with
	Hardware    Hardware          `json:"hardware,omitzero"`
	Base        string            `json:"base,omitempty"`
	Packages    []string          `json:"packages,omitempty"` // of its package layer, sorted
	Manual      bool              `json:"manual,omitempty"`   // added by an operator: it stays when it is empty
	Used        bool              `json:"used,omitempty"`     // a unit was placed on it
}

// Hardware is what a machine turned out to offer. Zero means unknown.
type Hardware struct {
	Arch    string `json:"arch,omitempty"`
	Cores   int    `json:"cores,omitempty"`
	MemMiB  int    `json:"mem_mib,omitempty"`
	DiskMiB int    `json:"disk_mib,omitempty"`
}

// Ref returns the machine's reference.
func (m Machine) Ref() MachineRef { return MachineRef{Model: m.Model, Machine: m.Name} }

// The indexes of machines.
const (
	machineByUUID = iota
	machineVacant
)

var machineSchema = &schema[Machine]{
	table: tables.Machine,
	key:   func(m *Machine) Key { return m.Ref().Key() },
	stamp: func(m *Machine) *Stamp { return &m.Stamp },
	indexes: []index[Machine]{
		machineByUUID: func(m *Machine) [][]byte { return [][]byte{radixKey("", m.UUID+":")} },
		machineVacant: func(m *Machine) [][]byte {
			if m.Used || m.Life != model.Alive {
				return nil
			}
			return [][]byte{radixKey(m.Model, "")}
		},
	},
}

// Machine returns a machine.
func (s State) Machine(r MachineRef) (Machine, bool) { return s.machines.find(r.Key()) }

// Machines returns a model's machines by number.
func (s State) Machines(m model.ModelName) []Machine { return s.machines.under(radixKey(m, "")) }

// MachineByUUID returns the machine that an agent's certificate names.
func (s State) MachineByUUID(uuid string) (Machine, bool) {
	found := s.machines.indexed(machineByUUID, radixKey("", uuid+":"))
	if len(found) == 0 {
		return Machine{}, false
	}
	return found[0], true
}

// Vacant returns the living machines on which no unit was ever placed.
func (s State) Vacant(m model.ModelName) []Machine {
	return s.machines.indexed(machineVacant, radixKey(m, ""))
}
