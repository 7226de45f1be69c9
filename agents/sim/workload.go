package sim

import (
	"time"

	"github.com/gantry-orchestrator/gantry/charms/sdk"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// workload is the software of one application. Of a charm without a twin it is
// what tasks yielded, and that a service is healthy while it runs.
type workload struct {
	sim     *simulation
	name    model.ApplicationName
	twin    sdk.Twin // nil for none
	world   sdk.World
	at      time.Time // of the last event
	yielded map[model.UnitName]map[effect.ProbeID]string
}

// workload is that of an application, begun at its first mention.
func (s *simulation) workload(name model.ApplicationName) *workload {
	w := s.workloads[name]
	if w == nil {
		w = &workload{sim: s, name: name, at: s.now, yielded: map[model.UnitName]map[effect.ProbeID]string{}}
		if a, ok := s.ctl.state.Application(appRef(name)); ok {
			if b, known := s.builtin(a.Charm); known {
				w.twin, _ = b.Charm.(sdk.Twin)
			}
		}
		if w.twin != nil {
			w.world = w.twin.Begin(s.Seed)
		}
		s.workloads[name] = w
	}
	return w
}

// step tells the twin of an event; its world must stay safe.
func (w *workload) step(e sdk.Event) sdk.Outcome {
	if ran, ok := e.(sdk.TaskRan); ok && !ran.Undo {
		w.yield(ran)
	}
	if w.twin == nil {
		return sdk.Outcome{}
	}
	if elapsed := w.sim.now.Sub(w.at); elapsed > 0 {
		w.world, _ = w.twin.Step(w.world, sdk.Elapsed{By: elapsed})
		w.at = w.sim.now
	}
	var out sdk.Outcome
	w.world, out = w.twin.Step(w.world, e)
	if err := w.twin.Safe(w.world); err != nil {
		w.sim.fail("%s is not safe after %T: %v", w.name, e, err)
	}
	return out
}

func (w *workload) yield(ran sdk.TaskRan) {
	if w.yielded[ran.Unit] == nil {
		w.yielded[ran.Unit] = map[effect.ProbeID]string{}
	}
	for id, value := range ran.Task.Yields {
		w.yielded[ran.Unit][id] = value
	}
}

// read is what a probe of a unit reads, and false where it fails.
func (w *workload) read(u *unitAgent, p effect.Probe) (string, bool) {
	if w.twin != nil {
		return w.twin.Answer(w.world, u.name, p)
	}
	for _, svc := range u.state.Answer.Desired.Services {
		if svc.Health != p.ID {
			continue
		}
		if u.machine.processes[serviceID(u.name, svc.ID)].pid == 0 {
			return "", false
		}
		if svc.Healthy != "" {
			return svc.Healthy, true
		}
		return "true", true
	}
	value, known := w.yielded[u.name][p.ID]
	return value, known
}
