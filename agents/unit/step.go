package unit

import (
	"maps"
	"slices"

	"github.com/gantry-orchestrator/gantry/model/effect"
)

// Step returns what to do next, without what is under way or waits to be
// tried again; nothing once the unit is settled and has said so.
func Step(s State) []Action {
	if !s.Journal.Withdrawn && s.Journal.Intent.Hash == "" {
		return nil
	}
	v := look(s)
	var next []Action
	if s.Journal.TearingDown() {
		next = v.teardown()
	} else {
		next = v.converge()
	}
	next = append(next, v.commitOutcomes()...)
	if s.Connected && !s.Journal.Withdrawn {
		if r := v.report(); HashReport(r) != s.Reported {
			next = append(next, SendReport{Report: r})
		}
	}
	next = slices.DeleteFunc(next, v.notNow)
	if at := v.wake(); !at.IsZero() && !at.Equal(s.Timer) {
		next = append(next, SetTimer{At: at})
	}
	return next
}

// view is a State with what follows from it.
type view struct {
	State
	question Ask
	input    effect.Input
	current  bool              // the charm's answer is for this input
	diff     effect.Difference // between host and answer; while tearing down, all that undoes
	open     map[string]bool   // names of the diff's steps
}

func look(s State) view {
	v := view{State: s, question: s.Question(), open: map[string]bool{}}
	v.input = v.question.Input
	want := s.Answer.Desired
	switch {
	case s.Journal.TearingDown():
		want = effect.Desired{}
	default:
		v.current = s.Answer.Failed == "" && s.Answer.For == v.question.For
	}
	if s.Observed.Ready && (v.current || s.Journal.TearingDown()) {
		v.diff = effect.Diff(s.Journal.applied(want), s.seen(), want)
	}
	if s.Journal.TearingDown() {
		v.diff.Steps = slices.DeleteFunc(v.diff.Steps, func(s effect.Step) bool { return !s.Undoes() })
		v.diff.Obstacles = nil
	}
	// A task that is running is open in the journal, as one that was cut short.
	v.diff.Obstacles = slices.DeleteFunc(v.diff.Obstacles, func(o effect.Obstacle) bool { return v.busy(o.ID) })
	for _, step := range v.diff.Steps {
		v.open[step.Name()] = true
	}
	return v
}

// notNow reports whether an action is under way, or failed and waits.
func (v view) notNow(a Action) bool {
	if _, running := v.Running[a.Key()]; running {
		return true
	}
	if f, failed := v.Failures[a.Key()]; failed && v.Now.Before(f.RetryAt) {
		return true
	}
	var id effect.ID
	switch a := a.(type) {
	case Perform:
		id = a.Step.ID
	case Adopt:
		id = a.Step.ID
	}
	return id != "" && v.busy(id)
}

// busy reports whether a step on the effect is under way.
func (v view) busy(id effect.ID) bool {
	for _, a := range v.Running {
		if p, ok := a.(Perform); ok && p.Step.ID == id {
			return true
		}
	}
	return false
}

// converge asks the charm where its answer is not for what is known now, and
// otherwise carries the answer out.
func (v view) converge() []Action {
	if !v.Observed.Ready {
		return nil
	}
	if !v.current {
		return []Action{v.question}
	}
	if adopted := v.adopt(); len(adopted) > 0 {
		return adopted
	}
	var next []Action
	var confirm Confirm
	for _, step := range v.diff.Steps {
		if publishes(step) || !v.ready(step) || v.busy(step.ID) {
			continue
		}
		a := v.performing(step)
		if v.sent(a) {
			continue // the claim's receipt is on its way
		}
		if f, failed := v.Failures[a.Key()]; failed && v.Now.Before(f.RetryAt) {
			continue
		}
		if NeedsConfirm(step) && !v.Answer.Confirmed[stepKey(step)] {
			confirm.Steps = append(confirm.Steps, stepKey(step))
			confirm.Probes = append(confirm.Probes, v.needs(step)...)
			continue
		}
		next = append(next, a)
	}
	// Confirming asks anew, which would void the answer of what could begin.
	if len(next) == 0 && len(confirm.Steps) > 0 {
		next = append(next, confirm)
	}
	return append(append(next, v.publish()...), v.giveBack()...)
}

// NeedsConfirm reports whether the charm is asked again, with its needs read
// anew, right before the step is performed.
func NeedsConfirm(s effect.Step) bool {
	switch s.Kind {
	case effect.Run, effect.Undo, effect.Stop, effect.Restart, effect.Wipe, effect.Destroy:
		return true
	default:
		return s.Disrupts || s.Destroys
	}
}

func publishes(s effect.Step) bool {
	return s.Kind == effect.Publish || s.Kind == effect.Propose || s.Kind == effect.Mint
}

// ready reports whether all is done that comes before the step, and whether
// it is allowed.
func (v view) ready(s effect.Step) bool {
	if slices.ContainsFunc(s.After, func(name string) bool { return v.open[name] }) {
		return false
	}
	if s.Disrupts && len(v.flapping()) > 0 {
		return false
	}
	return (s.Turn == nil || v.granted(s.Turn.Name)) && v.yieldsRead(s)
}

// performing is the action for a step: with its claim, or the one that opens it.
func (v view) performing(s effect.Step) Action {
	t := s.Effect.Task
	if t == nil || t.Scope != effect.ApplicationScope || s.Kind != effect.Run {
		return Perform{Step: s}
	}
	if token := v.claimed(*t); token != 0 {
		return Perform{Step: s, Token: token}
	}
	spec, live := v.Journal.Intent.Spec, v.live()
	return OpenClaim{Claim: effect.Claim{
		Unit: spec.Unit, Task: string(t.ID), Key: t.Key, Token: live.Token, Deadline: ClaimTime(*t),
		Supersedes: v.receipt(*t, effect.ClaimDone).Token, // what is done has a step to run only where its outcome was lost
	}}
}

// needs are the probes that confirming the step reads: a task's outcome, too,
// for it may have been read before the task ran last.
func (v view) needs(s effect.Step) []effect.Probe {
	t := s.Effect.Task
	if t == nil {
		return nil
	}
	ids := slices.AppendSeq(slices.Clone(t.Needs), maps.Keys(t.Yields))
	slices.Sort(ids)
	return v.probes(slices.Values(slices.Compact(ids)))
}

// yieldsRead reports whether the outcome of a run that a crash cut short was
// looked at since.
func (v view) yieldsRead(s effect.Step) bool {
	t := s.Effect.Task
	if t == nil || s.Kind != effect.Run || !v.cutShort(*t) {
		return true
	}
	return v.allRead(maps.Keys(t.Yields))
}

func (v view) cutShort(t effect.Task) bool {
	return slices.ContainsFunc(v.Journal.Applied, func(a effect.Applied) bool {
		b := a.Effect.Task
		return b != nil && a.Open && b.ID == t.ID && b.Key == t.Key && b.Scope == t.Scope
	})
}

// adopt finishes a restart or start that a crash cut short: another process
// than before runs, as it was to be. Doing it again would disrupt for nothing.
func (v view) adopt() []Action {
	var next []Action
	for _, b := range v.Journal.Begun {
		p, ok := v.Observed.Services[b.Step.ID]
		if b.Start == nil || v.busy(b.Step.ID) || !ok || !p.Running {
			continue
		}
		if p.Spec == b.Start.Spec && p.PID != 0 && p.PID != b.OldPID {
			next = append(next, Adopt{Step: b.Step})
		}
	}
	return next
}
