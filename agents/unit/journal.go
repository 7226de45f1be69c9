package unit

import (
	"slices"
	"time"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// Journal is what an agent must know of a unit after a crash.
type Journal struct {
	Intent    effect.Intent        `json:"intent"`
	Withdrawn bool                 `json:"withdrawn,omitempty"` // the unit no longer exists: tear down and forget
	Now       time.Time            `json:"now,omitzero"`        // as the charm last saw it
	NowFor    string               `json:"now_for,omitempty"`   // hash of the spec that Now was advanced for
	SpecSince time.Time            `json:"spec_since,omitzero"` // when the charm was first asked about that spec
	Applied   []effect.Applied     `json:"applied,omitempty"`   // in the order in which they were first performed
	Begun     []Begun              `json:"begun,omitempty"`     // and not known to have ended
	Digests   map[effect.ID]string `json:"digests,omitempty"`   // of files, as they were written
	Started   map[effect.ID]Start  `json:"started,omitempty"`   // what services were last started as
	Outcomes  []Outcome            `json:"outcomes,omitempty"`  // of tasks, not yet committed
	Returned  map[string]uint64    `json:"returned,omitempty"`  // by turn: token of the grant that was last given back
	Rounds    []Round              `json:"rounds,omitempty"`    // of this spec, the last FlapRounds
	Flapping  []effect.ID          `json:"flapping,omitempty"`  // what was found to alternate under this spec
	Leftovers []string             `json:"leftovers,omitempty"` // of the teardown
	Cleared   bool                 `json:"cleared,omitempty"`   // the teardown is over
}

// Begun is a step that is about to be performed, with the data that undoes it.
type Begun struct {
	Step   effect.Step `json:"step"`
	Former string      `json:"former,omitempty"`  // of agents/perform: what was there before
	Start  *Start      `json:"start,omitempty"`   // of a service: as what
	OldPID int         `json:"old_pid,omitempty"` // of a service: what ran before
}

// Start ties what a supervisor runs to the process that a charm desired.
type Start struct {
	Spec    string `json:"spec"`    // hash of the supervisor's spec
	Process string `json:"process"` // effect.Service.Process
}

// Outcome is what a task came to, until that is committed.
type Outcome struct {
	Task   effect.Task `json:"task"`
	Token  uint64      `json:"token,omitempty"` // of the claim, in application scope
	Result string      `json:"result,omitempty"`
	Failed string      `json:"failed,omitempty"`
}

// Entry is one record of a journal: one of the fields.
type Entry struct {
	Snapshot  *Journal       `json:"snapshot,omitempty"` // replaces all before it
	Intent    *effect.Intent `json:"intent,omitempty"`
	Change    *Change        `json:"change,omitempty"` // of the intent, instead
	Withdrawn bool           `json:"withdrawn,omitempty"`
	Now       *Advance       `json:"now,omitempty"`    // before the charm is asked
	Begun     *Begun         `json:"begun,omitempty"`  // before a step touches the host
	Opened    *effect.Step   `json:"opened,omitempty"` // before a task's run, instead
	Done      *Ended         `json:"done,omitempty"`   // after a step
	Failed    *Outcome       `json:"failed,omitempty"` // after a task of application scope failed
	Committed *Outcome       `json:"committed,omitempty"`
	Resolved  *Resolution    `json:"resolved,omitempty"`
	Round     *Round         `json:"round,omitempty"`
	Returned  []effect.Grant `json:"returned,omitempty"` // before the controller is told
	Cleared   *Ended         `json:"cleared,omitempty"`
}

// Advance is a new time for the charm.
type Advance struct {
	Now time.Time `json:"now"`
	For string    `json:"for"` // hash of the spec
}

// Advanced is the charm's time for a spec that is new, never before the last.
func (j Journal) Advanced(now time.Time, spec string) *Advance {
	if now.Before(j.Now) {
		now = j.Now
	}
	return &Advance{Now: now, For: spec}
}

// Ended is a step that was performed.
type Ended struct {
	Step    effect.Step `json:"step"`
	Digest  string      `json:"digest,omitempty"`  // of a file, as observed then
	Outcome *Outcome    `json:"outcome,omitempty"` // of a task whose result is to be committed
	Left    []string    `json:"left,omitempty"`    // what an undo had to leave
}

// Resolution is an operator's word on a task whose outcome was unknown.
type Resolution struct {
	Task effect.ID `json:"task"`
	Done bool      `json:"done"` // it was done; else it runs again
}

// Apply returns the journal with one more entry.
func (j Journal) Apply(e Entry) Journal {
	switch {
	case e.Snapshot != nil:
		return *e.Snapshot
	case e.Intent != nil:
		return j.intend(*e.Intent)
	case e.Change != nil:
		return j.intend(j.changed(*e.Change))
	case e.Withdrawn:
		j.Withdrawn = true
	case e.Now != nil:
		if e.Now.For != j.NowFor {
			j.SpecSince = e.Now.Now
		}
		j.Now, j.NowFor = e.Now.Now, e.Now.For
	case e.Begun != nil:
		j = j.begin(*e.Begun)
	case e.Opened != nil:
		j.Applied = effect.Opened(j.Applied, *e.Opened)
	case e.Done != nil:
		j = j.finish(*e.Done)
	case e.Failed != nil:
		j.Outcomes = append(without(j.Outcomes, *e.Failed), *e.Failed)
	case e.Committed != nil:
		j.Outcomes = without(j.Outcomes, *e.Committed)
	case e.Resolved != nil:
		j.Applied = resolve(j.Applied, *e.Resolved)
	case e.Round != nil:
		j.Rounds = append(slices.Clone(j.Rounds), *e.Round)
		j.Rounds = j.Rounds[max(0, len(j.Rounds)-FlapRounds):]
		if found := Flapping(j.Rounds, e.Round.At); len(found) > 0 {
			j.Flapping = found
		}
	case len(e.Returned) > 0:
		for _, g := range e.Returned {
			j.Returned = with(j.Returned, g.Turn, g.Token)
		}
	case e.Cleared != nil:
		j.Cleared = true
		j.Leftovers = slices.Concat(j.Leftovers, e.Cleared.Left)
	}
	return j
}

func (j Journal) intend(in effect.Intent) Journal {
	if in.Hash != j.Intent.Hash {
		j.Rounds, j.Flapping = nil, nil
	}
	if in.Spec.Life != model.Dead {
		j.Leftovers, j.Cleared, j.Withdrawn = nil, false, false
	}
	j.Intent = in
	return j
}

// begin keeps what was there before an effect's first time: what is there at
// a second one, after a crash, is the unit's own work.
func (j Journal) begin(b Begun) Journal {
	for _, old := range j.Begun {
		if old.Step.Name() != b.Step.Name() {
			continue
		}
		if place(old.Step) == place(b.Step) {
			b.Former = old.Former
		}
		if old.Start != nil && b.Start != nil && *old.Start == *b.Start {
			b.OldPID = old.OldPID
		}
	}
	j.Begun = append(j.drop(b.Step.Name()), b)
	return j
}

func (j Journal) drop(name string) []Begun {
	return slices.DeleteFunc(slices.Clone(j.Begun), func(b Begun) bool { return b.Step.Name() == name })
}

func (j Journal) finish(e Ended) Journal {
	begun, was := j.begun(e.Step.Name())
	j.Begun = j.drop(e.Step.Name())
	j.Applied = effect.Journaled(j.Applied, e.Step)
	j.Leftovers = slices.Concat(j.Leftovers, e.Left)
	if e.Outcome != nil {
		j.Outcomes = append(without(j.Outcomes, *e.Outcome), *e.Outcome)
	}
	if e.Step.Undoes() {
		return j.undone(e.Step)
	}
	if was && begun.Former != "" {
		for i, a := range slices.Backward(j.Applied) {
			if a.Effect.ID() == e.Step.ID {
				if a.Former == "" {
					j.Applied[i].Former = begun.Former // Journaled made a slice of its own
				}
				break
			}
		}
	}
	if was && begun.Start != nil {
		j.Started = with(j.Started, e.Step.ID, *begun.Start)
	}
	if e.Digest != "" {
		j.Digests = with(j.Digests, e.Step.ID, e.Digest)
	}
	return j
}

// undone forgets an effect, unless it has moved and is elsewhere now.
func (j Journal) undone(s effect.Step) Journal {
	j.Begun = slices.DeleteFunc(j.Begun, func(b Begun) bool { return b.Step.ID == s.ID && place(b.Step) == place(s) })
	if !slices.ContainsFunc(j.Applied, func(a effect.Applied) bool { return a.Effect.ID() == s.ID }) {
		j.Digests, j.Started = forget(j.Digests, s.ID), forget(j.Started, s.ID)
	}
	return j
}

func (j Journal) begun(name string) (Begun, bool) {
	for _, b := range j.Begun {
		if b.Step.Name() == name {
			return b, true
		}
	}
	return Begun{}, false
}

// resolve closes the open entries of a task, as done or as never begun.
func resolve(applied []effect.Applied, r Resolution) []effect.Applied {
	var out []effect.Applied
	for _, a := range applied {
		if a.Effect.ID() == r.Task && a.Open {
			if !r.Done {
				continue
			}
			a.Open = false
		}
		out = append(out, a)
	}
	return out
}

func without(all []Outcome, o Outcome) []Outcome {
	return slices.DeleteFunc(slices.Clone(all), func(x Outcome) bool {
		return x.Task.ID == o.Task.ID && x.Task.Key == o.Task.Key && x.Task.Scope == o.Task.Scope
	})
}

// applied is what effect.Diff is to know as applied. A step that a crash cut
// short counts only where its effect is no longer wanted, so that it is
// undone; where it is wanted it is performed again.
func (j Journal) applied(want effect.Desired) []effect.Applied {
	all := slices.DeleteFunc(slices.Clone(j.Applied), j.failed)
	known := map[effect.ID]bool{}
	for _, a := range all {
		known[a.Effect.ID()] = true
	}
	for _, e := range want.Effects() {
		known[e.ID()] = true
	}
	for _, b := range j.Begun {
		if !known[b.Step.ID] && !b.Step.Undoes() {
			known[b.Step.ID] = true
			all = append(all, effect.Applied{Effect: b.Step.Effect, Former: b.Former})
		}
	}
	return all
}

// Open reports whether a run of the task was cut short, and its outcome is
// not known.
func (j Journal) Open(task effect.ID) bool {
	return slices.ContainsFunc(j.Applied, func(a effect.Applied) bool { return a.Open && a.Effect.ID() == task })
}

// TearingDown reports whether the unit is undone from its journal, without
// asking the charm.
func (j Journal) TearingDown() bool {
	return j.Withdrawn || j.Intent.Spec.Life == model.Dead
}

func place(s effect.Step) string {
	switch {
	case s.Effect.File != nil:
		return s.Effect.File.Path
	case s.Effect.Volume != nil:
		return s.Effect.Volume.Path
	case s.Effect.Software != nil:
		return s.Effect.Software.Directory()
	default:
		return ""
	}
}

// failed reports whether an entry is of an application's task that was cut
// short and whose claim was then closed as failed: that is its outcome.
func (j Journal) failed(a effect.Applied) bool {
	t := a.Effect.Task
	return t != nil && a.Open && t.Scope == effect.ApplicationScope &&
		slices.ContainsFunc(j.Intent.Live.Receipts, func(r effect.Receipt) bool {
			return r.Task == string(t.ID) && r.Key == t.Key && r.State == effect.ClaimFailed
		})
}

// Former is what undoes the effect that a step is about, where it was
// performed, or begun, before.
func (j Journal) Former(s effect.Step) (former string, known bool) {
	for _, a := range j.Applied {
		if a.Effect.ID() == s.ID && place(effect.Step{Effect: a.Effect}) == place(s) {
			return a.Former, true
		}
	}
	for _, b := range j.Begun {
		if b.Step.ID == s.ID && place(b.Step) == place(s) {
			return b.Former, true
		}
	}
	return "", false
}
