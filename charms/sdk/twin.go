package sdk

import (
	"time"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// World is the simulated workload of one application, all units of it. It is
// the twin's own immutable value: Step returns another and leaves it as it was.
type World any

// Twin is a charm that can simulate its workload, so that plans and
// simulations know what the real one would report. It is pure; what chance it
// needs it draws from the seed.
type Twin interface {
	// Begin is the world before anything ran.
	Begin(seed uint64) World
	// Step is the world after an event, and for TaskRan what the task gave.
	Step(w World, e Event) (World, Outcome)
	// Answer is what a probe of a unit reads, and false where it is unknown.
	Answer(w World, unit model.UnitName, probe effect.Probe) (value string, known bool)
	// Safe is nil while the workload keeps its promises: one primary, no lost
	// write, a quorum. It must hold whatever order the events come in, within
	// the faults that the charm says it bears.
	Safe(w World) error
}

// Outcome is what a task gave: Output on success, or why it failed.
type Outcome struct {
	Output string
	Failed string
}

// Event is something that happens to the world: one of the types below.
type Event interface{ event() }

// ServiceStarted: a service of the unit runs from now on. Files are those of
// the unit as they are on the machine at that time; Incarnation is the stamp
// of the service's volume, where it has one.
type ServiceStarted struct {
	Unit        model.UnitName
	Address     string
	Service     effect.Service
	Files       []effect.File
	Incarnation string
}

// ServiceReloaded: the service was told to read Files again.
type ServiceReloaded struct {
	Unit    model.UnitName
	Service effect.Service
	Files   []effect.File
}

// ServiceStopped: a service ended; Crashed where nobody asked for it.
type ServiceStopped struct {
	Unit    model.UnitName
	Service effect.ID
	Crashed bool
}

// TaskRan: a task, or the undo of one, is run for the unit.
type TaskRan struct {
	Unit model.UnitName
	Task effect.Task
	Undo bool
}

// VolumeStamped: a volume of the unit is empty and has this incarnation now.
type VolumeStamped struct {
	Unit        model.UnitName
	Volume      effect.ID
	Incarnation string
}

// UnitCut: nobody reaches the unit, and it reaches nobody, until UnitHealed.
type UnitCut struct{ Unit model.UnitName }

// UnitHealed: the unit is reached again.
type UnitHealed struct{ Unit model.UnitName }

// UnitRemoved: the unit has left for good, its machine with it.
type UnitRemoved struct{ Unit model.UnitName }

// Elapsed: time went by.
type Elapsed struct{ By time.Duration }

func (ServiceStarted) event()  {}
func (ServiceReloaded) event() {}
func (ServiceStopped) event()  {}
func (TaskRan) event()         {}
func (VolumeStamped) event()   {}
func (UnitCut) event()         {}
func (UnitHealed) event()      {}
func (UnitRemoved) event()     {}
func (Elapsed) event()         {}
