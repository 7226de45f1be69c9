package sdk

import (
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// Workload is a twin and its world, told of steps as an agent performs them.
type Workload struct {
	Twin  Twin
	World World
}

// Simulate begins the workload of an application; false for a charm without a
// twin.
func Simulate(c Charm, seed uint64) (*Workload, bool) {
	twin, ok := c.(Twin)
	if !ok {
		return nil, false
	}
	return &Workload{Twin: twin, World: twin.Begin(seed)}, true
}

// Step moves the world on.
func (w *Workload) Step(e Event) Outcome {
	var out Outcome
	w.World, out = w.Twin.Step(w.World, e)
	return out
}

// Do tells the twin of a step of a unit at an address, whose files on its
// machine are these.
func (w *Workload) Do(unit model.UnitName, address string, s effect.Step, files []effect.File, incarnation string) (output, failed string) {
	var out Outcome
	switch s.Kind {
	case effect.Start, effect.Restart:
		if s.Kind == effect.Restart {
			w.Step(ServiceStopped{Unit: unit, Service: s.ID})
		}
		w.Step(ServiceStarted{Unit: unit, Address: address, Service: *s.Effect.Service, Files: files, Incarnation: incarnation})
	case effect.Reload:
		w.Step(ServiceReloaded{Unit: unit, Service: *s.Effect.Service, Files: files})
	case effect.Stop:
		w.Step(ServiceStopped{Unit: unit, Service: s.ID})
	case effect.Remove:
		if s.Effect.Service != nil {
			w.Step(ServiceStopped{Unit: unit, Service: s.ID})
		}
	case effect.Stamp, effect.Wipe:
		w.Step(VolumeStamped{Unit: unit, Volume: s.ID, Incarnation: s.Effect.Volume.Incarnation})
	case effect.Run, effect.Undo:
		out = w.Step(TaskRan{Unit: unit, Task: *s.Effect.Task, Undo: s.Kind == effect.Undo})
	}
	return out.Output, out.Failed
}

// Read is what a probe of a unit reads, and false where it is unknown.
func (w *Workload) Read(unit model.UnitName, probe effect.Probe) (string, bool) {
	return w.Twin.Answer(w.World, unit, probe)
}
