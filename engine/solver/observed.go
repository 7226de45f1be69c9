package solver

import (
	"slices"
	"time"

	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// DepartureDeadline is how long a subject may be on its way out without
// progress before that is explained as blocked. Nothing is forced by it.
const DepartureDeadline = 10 * time.Minute

// Observed is soft state: what a controller has heard since it leads. It is
// never replicated; agents say it again to whoever leads next.
type Observed struct {
	Now      time.Time // of the controller's clock
	Since    time.Time // when it began to listen: nobody was silent for longer
	Reports  map[state.UnitRef]effect.Report
	Heard    map[state.MachineRef]time.Time // last beat of an agent
	Progress map[state.UnitRef]time.Time    // of a departure
	Ended    map[state.MachineRef]time.Time // last end of an agent's session
	Marks    Marks                          // of the intents that reports are held against
}

// NewObserved has heard nothing yet.
func NewObserved(now time.Time) *Observed {
	return &Observed{
		Now: now, Since: now,
		Reports:  map[state.UnitRef]effect.Report{},
		Heard:    map[state.MachineRef]time.Time{},
		Progress: map[state.UnitRef]time.Time{},
		Ended:    map[state.MachineRef]time.Time{},
	}
}

// Take notes a report. It returns whom the report makes dirty.
func (o *Observed) Take(m model.ModelName, r effect.Report) Dirty {
	ref := state.UnitRef{Model: m, Unit: r.Unit}
	old := o.Reports[ref]
	for _, h := range r.Holds {
		if !slices.Contains(old.Holds, h) {
			o.Progress[state.UnitRef{Model: m, Unit: h.Subject}] = o.Now
		}
	}
	if !slices.Equal(old.Doing, r.Doing) || old.Generation != r.Generation {
		o.Progress[ref] = o.Now
	}
	o.Reports[ref] = r
	var d Dirty
	d.Unit(ref)
	return d
}

// Forget drops what was heard of units that are not in the state any more.
func (o *Observed) Forget(s state.State) {
	for ref := range o.Reports {
		if _, ok := s.Unit(ref); !ok {
			delete(o.Reports, ref)
			delete(o.Progress, ref)
		}
	}
	for ref := range o.Heard {
		if _, ok := s.Machine(ref); !ok {
			delete(o.Heard, ref)
		}
	}
	for ref := range o.Ended {
		if _, ok := s.Machine(ref); !ok {
			delete(o.Ended, ref)
		}
	}
}

// Silent reports whether a machine's agent was not heard for a full term.
func (o *Observed) Silent(m state.MachineRef) bool {
	last := o.Since
	if heard, ok := o.Heard[m]; ok && heard.After(last) {
		last = heard
	}
	return o.Now.Sub(last) >= effect.LeaseTerm
}

// cut reports whether the session of a machine's agent ended and nothing was
// heard since: what was reported last may not be so any more. Only that it stays
// so for a term says that the agent is silent.
func (o *Observed) cut(m state.MachineRef) bool {
	ended, ok := o.Ended[m]
	return ok && !o.Heard[m].After(ended)
}

// overdue reports whether a departure that began at since had no progress
// until its deadline.
func (o *Observed) overdue(u state.UnitRef, since time.Time) bool {
	if p := o.Progress[u]; p.After(since) {
		since = p
	}
	return o.Now.Sub(since) >= DepartureDeadline
}
