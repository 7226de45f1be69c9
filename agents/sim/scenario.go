package sim

import (
	"time"

	"github.com/gantry-orchestrator/gantry/charms/sdk"
	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/bundle"
	"github.com/gantry-orchestrator/gantry/model/effect"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

// Model is the name of the model that a scenario plays in.
const Model = model.ModelName("sim")

// Scenario is what a simulation plays: a bundle is applied, and once the model
// has converged, one change after the other, each until the model has
// converged again.
type Scenario struct {
	Bundle  *bundle.Bundle
	Charms  []sdk.Builtin
	Seed    uint64
	Changes []Change
	Faults  Faults        // during the first phase, and during each change
	Plan    bool          // plan each change before it is made; see Phase.Planned
	Limit   time.Duration // virtual time in which a phase must converge once its faults are over; 0 takes an hour
}

// Change is an operator's change of the model as it is then.
type Change struct {
	Name   string
	Ops    func(state.State) ([]state.Op, error)
	Blocks bool // it ends with units that wait for a person, and nothing else does
}

// Faults is what goes wrong: Count faults of the Kinds, at times within Span
// of the phase's begin. Each ends by itself.
type Faults struct {
	Count int
	Span  time.Duration
	Kinds []Fault
	Lossy bool // answers of the controller get lost, and intents come twice
}

// Fault is a kind of fault.
type Fault string

// The kinds of fault.
const (
	AgentCrash        Fault = "agent crash"        // between any two of its writes; it is started again
	AgentSilence      Fault = "agent silence"      // it crashes and stays away for longer than a lease
	AgentPause        Fault = "agent pause"        // it is stopped, at times for longer than a lease, and goes on with what it knew
	MachineKill       Fault = "machine kill"       // all processes at once; it is started again with its disk
	MachineCut        Fault = "machine cut"        // from the network, for up to 30 s
	ServiceCrash      Fault = "service crash"      // its supervisor starts it again
	ControllerRestart Fault = "controller restart" // what it had heard is forgotten
)

// AllFaults are all kinds.
var AllFaults = []Fault{AgentCrash, AgentSilence, AgentPause, MachineKill, MachineCut, ServiceCrash, ControllerRestart}

// Result is what became of a scenario.
type Result struct {
	Phases []Phase
	Trace  []string // all that happened, in order
	State  state.State
	Hash   string // of the state's encoding and of the trace
	Err    error  // what was violated, or what did not converge; nil where all is well
}

// Phase is the time from a change to convergence.
type Phase struct {
	Name      string
	Took      time.Duration // of virtual time
	Planned   operator.Planned
	Performed []Performed
}

// Performed is a step that a unit's agent carried out.
type Performed struct {
	Unit model.UnitName
	Step effect.Step
}

// Tail is the end of the trace, for the message of a failed test.
func (r Result) Tail(lines int) []string { return r.Trace[max(0, len(r.Trace)-lines):] }
