package state

import (
	"fmt"
	"slices"

	"github.com/gantry-orchestrator/gantry/model"
)

// revisionsKept is how many revisions' records are kept.
const revisionsKept = 10000

// Apply is one entry of the log: the only way to change state. The index
// always advances, and time never goes back. A refused command changes nothing
// else but that its answer is kept under its key, so that a retry is told the
// same. The error of a
// refusal wraps a class of model.
func (s State) Apply(c Command) (State, Result, error) {
	next, outcomes := s.ApplyBatch([]Command{c})
	return next, outcomes[0].Result, outcomes[0].Err
}

// ApplyBatch applies commands in order, each an entry of its own, and is much
// cheaper than as many calls of Apply.
func (s State) ApplyBatch(commands []Command) (State, []Outcome) {
	forked := *s.content
	w := &writer{State: State{&forked}}
	for _, t := range w.tables() {
		t.fork()
	}
	outcomes := make([]Outcome, len(commands))
	for i := range commands {
		outcomes[i] = w.entry(&commands[i])
	}
	for _, t := range w.tables() {
		t.commit()
	}
	return w.State, outcomes
}

// entry advances the log by one command.
func (w *writer) entry(c *Command) Outcome {
	w.head.Index++
	if c.Now.After(w.head.Now) {
		w.head.Now = c.Now.UTC()
	}
	if c.Key != "" {
		if a, ok := w.answers.find(answerKey(c.Key)); ok {
			return a.outcome()
		}
	}
	before := w.head
	w.begin(c)
	result, err := w.run(c)
	if err != nil {
		w.takeBack()
		w.head = before
		refused := refusal(err)
		w.remember(c.Key, Result{}, refused)
		return Outcome{Result: Result{Index: w.head.Index, Revision: w.head.Revision}, Err: refused}
	}
	if c.Origin != Solver {
		w.head.Disturbed = w.head.Index
	}
	w.remember(c.Key, result, nil)
	result.Changed = slices.Clip(w.changed)
	return Outcome{Result: result}
}

func (a answer) outcome() Outcome {
	if a.Refused != nil {
		return Outcome{Err: a.Refused}
	}
	return Outcome{Result: a.Result}
}

// run checks a command and performs its ops.
func (w *writer) run(c *Command) (Result, error) {
	if err := w.admit(c); err != nil {
		return Result{}, err
	}
	revises := c.Origin == Operator && slices.ContainsFunc(c.Ops, raisesRevision)
	if revises {
		w.head.Revision++
	}
	for i, op := range c.Ops {
		if err := op.apply(w); err != nil {
			if len(c.Ops) > 1 {
				err = fmt.Errorf("step %d of %d (%s): %w", i+1, len(c.Ops), op.summary(), err)
			}
			return Result{}, err
		}
	}
	if revises {
		w.record(c)
	}
	return Result{Index: w.head.Index, Revision: w.head.Revision, Created: w.created}, nil
}

// admit refuses a command that came too late or was made from what has
// changed since.
func (w *writer) admit(c *Command) error {
	switch {
	case c.Version != FormatVersion:
		return fmt.Errorf("command of format %d: this controller understands %d; bring all controllers to one version: %w", c.Version, FormatVersion, model.ErrUnavailable)
	case !c.Deadline.IsZero() && w.head.Now.After(c.Deadline):
		return fmt.Errorf("the deadline passed before the change was committed: nothing was changed; try again: %w", model.ErrUnavailable)
	case c.AtRevision != 0 && c.AtRevision != w.head.Revision:
		return fmt.Errorf("made for revision %d, but the model is at %d: plan again: %w", c.AtRevision, w.head.Revision, model.ErrConflict)
	case len(c.Ops) == 0:
		return fmt.Errorf("a command without ops: %w", model.ErrInvalid)
	}
	for _, p := range c.Expect {
		if at := w.modifyIndex(p.Key); at != p.Index {
			return fmt.Errorf("%v changed at %d, read at %d: %w", p.Key, at, p.Index, model.ErrConflict)
		}
	}
	return w.Understands(c.Ops)
}

// Understands refuses ops of features that are not active. It is asked before
// they come into the log too: a member of before such a feature could not even
// read them there.
func (s State) Understands(ops []Op) error {
	for _, op := range ops {
		if k, ok := kindOf(op); !ok || k.level > s.head.Level {
			return fmt.Errorf("%s needs feature level %d, and %d is active: bring all controllers to one version: %w", op.summary(), k.level, s.head.Level, model.ErrUnavailable)
		}
	}
	return nil
}

// record keeps what a revision was, and what it changed.
func (w *writer) record(c *Command) {
	r := Revision{Number: w.head.Revision, Author: c.Author, Reason: c.Reason, Time: w.head.Now, Before: w.images}
	for _, op := range c.Ops {
		r.Summary = append(r.Summary, op.summary())
	}
	for _, k := range slices.Clone(w.changed) {
		if m, ok := w.Model(k.Model); ok && m.Revision != w.head.Revision {
			m.Revision = w.head.Revision
			put(w, &w.models, m)
		}
	}
	put(w, &w.revisions, r)
	if w.head.Revision > revisionsKept {
		remove(w, &w.revisions, revisionKey(w.head.Revision-revisionsKept))
	}
}

// modifyIndex returns when a row last changed, 0 where there is none.
func (s *State) modifyIndex(k Key) uint64 {
	for _, t := range s.tables() {
		if t.name() == k.Table {
			return t.modifyIndex(k)
		}
	}
	return 0
}

// ModifyIndex returns when a row last changed, 0 where there is none.
func (s State) ModifyIndex(k Key) uint64 { return s.modifyIndex(k) }
