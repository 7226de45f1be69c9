package plan

import (
	"cmp"
	"encoding/json"
	"maps"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// facts are what the unit's probes would read: as reported, changed by what
// its steps bring about and by what its workload's twin says.
func (u *unit) facts() map[effect.ProbeID]effect.Fact {
	facts := map[effect.ProbeID]effect.Fact{}
	maps.Copy(facts, u.base)
	for id, f := range u.assumed {
		if facts[id] = f; f.Value == "" {
			delete(facts, id)
		}
	}
	for id, v := range u.seen.Volumes {
		facts[effect.VolumeFact+effect.ProbeID(id)] = effect.Fact{Value: v}
	}
	w := u.fork.begun[u.ref.Unit.Application]
	if w == nil {
		return facts
	}
	for _, p := range u.want.Probes {
		w.overlay(u, p, facts)
	}
	return facts
}

// expect notes what a step makes of facts where no twin says it: a service
// that runs is healthy, what a task yields holds.
func (u *unit) expect(s effect.Step) {
	switch svc := s.Effect.Service; {
	case svc != nil && svc.Health != "" && (s.Kind == effect.Start || s.Kind == effect.Restart):
		u.assume(svc.Health, cmp.Or(svc.Healthy, "true"))
	case svc != nil && svc.Health != "" && (s.Kind == effect.Stop || s.Kind == effect.Remove):
		u.assume(svc.Health, "")
	case s.Kind == effect.Run:
		for id, value := range s.Effect.Task.Yields {
			u.assume(id, value)
		}
	}
}

// assume sets a fact, or with "" makes it unknown.
func (u *unit) assume(id effect.ProbeID, value string) {
	if old, known := u.seen.Facts[id]; !known || old.Value != value {
		u.guessed = true
	}
	u.assumed[id] = effect.Fact{Value: value}
}

// tell lets the twin know of a step.
func (u *unit) tell(in effect.Intent, s effect.Step) (output, failed string) {
	w := u.fork.begun[u.ref.Unit.Application]
	if w == nil {
		return "", ""
	}
	incarnation := ""
	if s.Effect.Service != nil {
		incarnation = u.incarnation(s.Effect.Service.Volume)
	}
	output, failed = w.Do(u.ref.Unit, in.Spec.Address, s, u.files(), incarnation)
	w.wake(u.fork, u.ref.Unit)
	return output, failed
}

// reading is a unit's probe.
type reading struct {
	unit  model.UnitName
	probe effect.ProbeID
}

// workload is a twin that stands where the real software does. It may differ
// in what it cannot know, so that only its changes count: see overlay.
type workload struct {
	Workload
	before map[reading]string // as the twin had it before any step
	units  []*unit
}

// wake has the units asked again that what happened to one may concern.
func (w *workload) wake(f *fork, of model.UnitName) {
	for _, u := range w.units {
		f.touched[u.ref.Unit].idle = false
		if u.ref.Unit != of {
			f.sure[u.ref.Unit] = false
		}
	}
}

// overlay changes a fact as the twin's answer changed.
func (w *workload) overlay(u *unit, p effect.Probe, facts map[effect.ProbeID]effect.Fact) {
	was, before := w.before[reading{u.ref.Unit, p.ID}]
	now, known := w.Read(u.ref.Unit, p)
	reported, had := u.base[p.ID]
	switch {
	case known == before && now == was:
		return
	case !known:
		delete(facts, p.ID)
	case had && before:
		facts[p.ID] = effect.Fact{Value: merged(reported.Value, was, now)}
	default:
		facts[p.ID] = effect.Fact{Value: now}
	}
	u.guessed = true
}

// merged is a reported value with the change from was to now. Of JSON objects
// only the fields that changed do, numbers by their difference.
func merged(reported, was, now string) string {
	var r, a, b map[string]any
	if json.Unmarshal([]byte(reported), &r) != nil || json.Unmarshal([]byte(was), &a) != nil || json.Unmarshal([]byte(now), &b) != nil {
		return now
	}
	for key, value := range b {
		if a[key] == value {
			continue
		}
		x, xNumber := a[key].(float64)
		y, yNumber := value.(float64)
		z, zNumber := r[key].(float64)
		if r[key] = value; xNumber && yNumber && zNumber {
			r[key] = z + y - x
		}
	}
	text, err := json.Marshal(r)
	if err != nil {
		return now
	}
	return string(text)
}
