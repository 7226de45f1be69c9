package api

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/gantry-orchestrator/gantry/engine/solver"
	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/bundle"
	"github.com/gantry-orchestrator/gantry/model/charm"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

// applyAttempts is how often an Apply that was made for a revision that is
// past is made anew: so often that it gets through between operators who write
// all the time, also in other models.
const applyAttempts = 1000

// Apply makes a model what a bundle says, in one revision; where nothing
// differs, nothing is committed.
func (s *Service) Apply(ctx context.Context, r operator.Apply) (operator.Applied, error) {
	who, err := caller(ctx, Write, r.Model)
	if err != nil {
		return operator.Applied{}, err
	}
	for attempt := 1; ; attempt++ {
		st, err := s.log.Read(ctx)
		if err != nil {
			return operator.Applied{}, err
		}
		f, err := s.fork(st, r)
		if err != nil {
			return operator.Applied{}, err
		}
		applied := operator.Applied{Differences: f.differences, Committed: operator.Committed{Index: st.Index(), Revision: st.Revision()}}
		if len(f.ops) == 0 {
			return applied, nil
		}
		change := r.Change
		if change.AtRevision == 0 {
			change.AtRevision = st.Revision()
		}
		applied.Committed, err = s.changed(ctx, who, change, f.ops...)
		if errors.Is(err, model.ErrConflict) && r.AtRevision == 0 && attempt < applyAttempts && ctx.Err() == nil && s.log.State().Revision() != st.Revision() {
			r.Key = "" // the refusal is the answer to the old key
			continue
		}
		return applied, err
	}
}

// Plan says what an Apply would do.
func (s *Service) Plan(ctx context.Context, r operator.Apply) (operator.Planned, error) {
	if _, err := caller(ctx, Read, r.Model); err != nil {
		return operator.Planned{}, err
	}
	st, err := s.log.Read(ctx)
	if err != nil {
		return operator.Planned{}, err
	}
	f, err := s.fork(st, r)
	if err != nil {
		return operator.Planned{}, err
	}
	if s.c.Planner == nil || len(f.ops) == 0 {
		return operator.Planned{Revision: st.Revision(), Differences: f.differences}, nil
	}
	planned, err := s.c.Planner(ctx, r.Model, st, f.state)
	planned.Revision, planned.Differences = st.Revision(), f.differences
	return planned, err
}

// fork is a state to which a bundle's changes are applied one by one, so that
// each is made knowing what those before it did.
type fork struct {
	service     *Service
	model       model.ModelName
	state       state.State
	ops         []state.Op
	differences []operator.Difference
}

// fork checks a bundle and applies what differs to a copy of the state.
func (s *Service) fork(st state.State, r operator.Apply) (*fork, error) {
	if _, err := modelOf(st, r.Model); err != nil {
		return nil, err
	}
	desired, _, err := bundle.Parse("bundle", r.Bundle, nil)
	if err != nil {
		return nil, err
	}
	lookup := func(ref bundle.CharmRef) *charm.Charm {
		a, err := s.charmOf(ref)
		if err != nil {
			return nil
		}
		return &a.Declared
	}
	if err := errors.Join(desired.Validate(), bundle.Unsupported(desired), desired.CheckCharms(lookup)); err != nil {
		return nil, err
	}
	if err := s.typed(desired); err != nil {
		return nil, err
	}
	f := &fork{service: s, model: r.Model, state: st}
	current := export(st, r.Model)
	changes := append(f.refreshes(current, desired), bundle.Diff(current, desired, r.Prune)...)
	for _, c := range changes {
		if err := f.change(c); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// typed gives options the types that their charms declare, as state keeps
// them: a whole number that a bundle gives for a float is that float.
func (s *Service) typed(b *bundle.Bundle) error {
	for i, a := range b.Applications {
		artifact, err := s.charmOf(a.Charm)
		if err != nil {
			return err
		}
		if b.Applications[i].Options, err = artifact.Declared.Config.Validate(a.Options); err != nil {
			return fmt.Errorf("application %s: %w", a.Name, err)
		}
	}
	return nil
}

func (s *Service) charmOf(ref bundle.CharmRef) (Artifact, error) {
	if ref.IsLocal() {
		return Artifact{}, fmt.Errorf("charm %s is a path: upload it, and name the charm: %w", ref, model.ErrInvalid)
	}
	return s.c.Catalog.Find(string(ref.Name))
}

// refreshes moves applications to the newest artifact of their charm.
func (f *fork) refreshes(current, desired *bundle.Bundle) []bundle.Change {
	var changes []bundle.Change
	for _, want := range desired.Applications {
		have, exists := current.Application(want.Name)
		if !exists || have.Charm != want.Charm {
			continue
		}
		row, _ := f.state.Application(state.ApplicationRef{Model: f.model, Application: want.Name})
		if newest, err := f.service.charmOf(want.Charm); err == nil && newest.Hash != row.Hash {
			changes = append(changes, bundle.SetCharm{Application: want.Name, From: have.Charm, To: want.Charm})
		}
	}
	return changes
}

// change applies one change to the fork and notes it.
func (f *fork) change(c bundle.Change) error {
	ops, difference, err := f.translate(c)
	if err != nil {
		return fmt.Errorf("%v: %w", c, err)
	}
	if len(ops) == 0 {
		return nil
	}
	next, result, err := f.state.Apply(state.Command{
		Version: state.FormatVersion, Now: f.service.c.Now(), Origin: state.Operator, Ops: ops,
	})
	if err != nil {
		return fmt.Errorf("%v: %w", c, err)
	}
	if added, ok := c.(bundle.AddMachine); ok && (len(result.Created) == 0 || result.Created[0].ID != string(added.Machine.Name)) {
		return fmt.Errorf("%v: the model's next machine is %v: number the bundle's machines from there: %w", c, result.Created, model.ErrInvalid)
	}
	f.state = next
	f.ops = append(f.ops, ops...)
	f.differences = append(f.differences, difference)
	return nil
}

// removeUnits names the units with the highest numbers.
func (f *fork) removeUnits(a model.ApplicationName, count int) state.RemoveUnits {
	op := state.RemoveUnits{Model: f.model}
	units := f.state.Units(state.ApplicationRef{Model: f.model, Application: a})
	for _, u := range slices.Backward(units) {
		if u.Life == model.Alive && len(op.Units) < count {
			op.Units = append(op.Units, u.Name)
		}
	}
	return op
}

func (f *fork) relation(r bundle.Relation) (state.Op, error) {
	a, b, err := solver.MatchIn(f.state, f.model, r[0], r[1])
	return state.AddRelation{Model: f.model, A: a, B: b}, err
}
