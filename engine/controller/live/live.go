package live

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/gantry-orchestrator/gantry/engine/api"
	"github.com/gantry-orchestrator/gantry/engine/solver"
	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/engine/state/tables"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// Log is the replicated log.
type Log interface {
	// Changes waits for entries past an index, oldest first; next is the index to
	// ask from.
	Changes(ctx context.Context, index uint64) (changes []api.Change, next uint64, err error)
}

// Live is safe for concurrent use.
type Live struct {
	now func() time.Time
	log Log

	mu       sync.Mutex
	observed *solver.Observed
	dirty    solver.Dirty
	silent   map[state.MachineRef]bool // as the solver was last told
	again    []state.MachineRef        // heard after a silence, since then
	gone     bool                      // something left the state, since all was looked through
	looked   time.Time                 // through all that is known, last
	hosts    map[state.MachineRef]effect.HostFacts
	progress map[state.MachineRef]string
	lines    ring
	changed  chan struct{} // closed and replaced at every change
}

// New knows nothing yet. The clock must not go back, and the states that are
// asked about are those of the log.
func New(now func() time.Time, log Log) *Live {
	l := &Live{now: now, log: log, changed: make(chan struct{})}
	l.Reset()
	return l
}

// Reset forgets everything but the log: this controller has begun to lead,
// and listens from now.
func (l *Live) Reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.observed = solver.NewObserved(l.now())
	l.dirty = solver.Everything()
	l.silent = map[state.MachineRef]bool{}
	l.again, l.looked = nil, time.Time{}
	l.hosts = map[state.MachineRef]effect.HostFacts{}
	l.progress = map[state.MachineRef]string{}
	l.wake()
}

// follow learns what was committed up to a state.
func (l *Live) follow(st state.State) {
	marks := &l.observed.Marks
	switch from := marks.Index(); {
	case from == 0:
		marks.Begin(st)
	case from < st.Index():
		changes, _, err := l.log.Changes(context.Background(), from) // there are some: it does not wait
		if err != nil {                                              // they are no longer kept
			marks.Begin(st)
			l.gone = true
			return
		}
		var keys []state.Key
		for _, c := range changes {
			if c.Index <= st.Index() {
				keys = append(keys, c.Keys...)
			}
		}
		marks.Follow(st, keys)
		l.gone = l.gone || slices.ContainsFunc(keys, func(k state.Key) bool {
			return (k.Table == tables.Unit || k.Table == tables.Machine) && st.ModifyIndex(k) == 0
		})
	}
}

func (l *Live) wake() {
	close(l.changed)
	l.changed = make(chan struct{})
}

// Changed implements api.Live.
func (l *Live) Changed() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.changed
}

// Hello notes what a machine's agent said of its host.
func (l *Live) Hello(m state.MachineRef, facts effect.HostFacts) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.hosts[m] = facts
	l.heard(m)
	l.wake()
}

// Heard notes that an agent is there.
func (l *Live) Heard(m state.MachineRef) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.heard(m)
}

func (l *Live) heard(m state.MachineRef) {
	l.observed.Now = l.now()
	if l.observed.Silent(m) {
		l.again = append(l.again, m)
	}
	l.observed.Heard[m] = l.observed.Now
}

// Take notes reports of a model's units.
func (l *Live) Take(m model.ModelName, reports []effect.Report) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.observed.Now = l.now()
	for _, r := range reports {
		l.dirty.Merge(l.observed.Take(m, r))
	}
	l.wake()
}

// Progress implements api.Live.
func (l *Live) Progress(m state.MachineRef, text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if text == "" {
		delete(l.progress, m)
	} else {
		l.progress[m] = text
	}
	l.wake()
}

// look is how often all machines are looked through, for agents that fell
// silent, and reports for what is in the state no more. What is heard costs by
// itself.
const look = time.Second

// Dirty returns what reports, and agents that fell silent or were heard again,
// have made dirty since the last call.
func (l *Live) Dirty(st state.State) solver.Dirty {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.observed.Now = l.now()
	l.follow(st)
	for _, ref := range l.again {
		l.silent[ref] = false
		l.dirty.Machine(st, ref)
	}
	l.again = nil
	if l.looked.IsZero() || l.observed.Now.Sub(l.looked) >= look {
		l.looked = l.observed.Now
		l.lookThrough(st)
	}
	dirty := l.dirty
	l.dirty = solver.Dirty{}
	return dirty
}

func (l *Live) lookThrough(st state.State) {
	if l.gone {
		l.observed.Forget(st)
		l.gone = false
	}
	for _, m := range st.Models() {
		for _, machine := range st.Machines(m.Name) {
			ref := machine.Ref()
			if silent := l.observed.Silent(ref); silent != l.silent[ref] {
				l.silent[ref] = silent
				l.dirty.Machine(st, ref)
			}
		}
	}
}

// Solve runs the solver on what was heard.
func (l *Live) Solve(st state.State, dirty solver.Dirty) ([]state.Command, []solver.Blocked) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.observed.Now = l.now()
	l.follow(st)
	return solver.Solve(st, dirty, l.observed)
}

// Report implements api.Live.
func (l *Live) Report(u state.UnitRef) (effect.Report, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r, ok := l.observed.Reports[u]
	return r, ok
}

// Settled implements api.Live.
func (l *Live) Settled(st state.State, u state.UnitRef) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.follow(st)
	return solver.Settled(st, l.observed, u)
}

// Machine implements api.Live.
func (l *Live) Machine(m state.MachineRef) api.MachineLive {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := api.MachineLive{Progress: l.progress[m]}
	if heard, ok := l.observed.Heard[m]; ok {
		out.Reachable = l.now().Sub(heard) < effect.LeaseTerm
	}
	if facts, ok := l.hosts[m]; ok {
		out.Host = &facts
	}
	return out
}

// Convergence implements api.Live.
func (l *Live) Convergence(st state.State, m model.ModelName, revision uint64) api.Convergence {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.observed.Now = l.now()
	l.follow(st)
	done, waits := solver.Converged(st, m, l.observed, revision)
	c := api.Convergence{Converged: done}
	for _, w := range waits {
		text := fmt.Sprintf("%s: %s", w.Subject, w.Reason)
		if w.Blocked {
			c.Blocked = append(c.Blocked, text)
		} else {
			c.Waiting = append(c.Waiting, text)
		}
	}
	return c
}
