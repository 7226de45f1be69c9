package plan

import (
	"context"
	"reflect"

	"golang.org/x/sync/errgroup"

	"github.com/gantry-orchestrator/gantry/engine/solver"
	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// maxAsking bounds the questions that are put to charms at once.
const maxAsking = 8

// answered is what a charm said of one input. It says the same again: a charm
// is pure.
type answered struct {
	known bool
	in    effect.Input
	want  effect.Desired
}

// ask asks the unit's charm, unless it was asked just this last.
func (u *unit) ask(ctx context.Context, in effect.Input) (effect.Desired, error) {
	if u.answer.known && reflect.DeepEqual(u.answer.in, in) {
		return u.answer.want, nil
	}
	want, err := u.Charms.Reconcile(ctx, in.Spec.Charm, in)
	if err != nil {
		return effect.Desired{}, err
	}
	u.answer = answered{known: true, in: in, want: want}
	return want, nil
}

// askAhead asks the charms of units that are about to move, all at once. In
// its turn a unit asks again only where what others did before it changed its
// question, so that a plan is the same as without.
func (f *fork) askAhead(ctx context.Context, names []model.UnitName) error {
	if err := f.beginAll(ctx, names); err != nil {
		return err
	}
	group, asking := errgroup.WithContext(ctx)
	group.SetLimit(maxAsking)
	for _, name := range names {
		u := f.touched[name]
		in, wanted := f.intent(u.ref)
		if u.idle || !wanted || in.Spec.Life == model.Dead {
			continue
		}
		question := u.question(in)
		group.Go(func() error {
			_, _ = u.ask(asking, question) // an error comes again in the unit's turn
			return nil
		})
	}
	return group.Wait()
}

// beginAll begins the units that have not, and then their workloads in order.
func (f *fork) beginAll(ctx context.Context, names []model.UnitName) error {
	failed := make([]error, len(names))
	group, beginning := errgroup.WithContext(ctx)
	group.SetLimit(maxAsking)
	for i, name := range names {
		if u := f.touched[name]; !u.begun && !u.idle {
			group.Go(func() error {
				failed[i] = u.begin(beginning)
				return nil
			})
		}
	}
	_ = group.Wait() // none returns one
	for i, name := range names {
		if failed[i] != nil {
			return failed[i]
		}
		if f.touched[name].idle {
			continue
		}
		if err := f.begins(ctx, name.Application); err != nil {
			return err
		}
	}
	return nil
}

// question is what the unit would ask now. It leaves the unit as it is.
func (u *unit) question(in effect.Intent) effect.Input {
	seen, guessed := u.seen, u.guessed
	defer func() { u.seen, u.guessed = seen, guessed }()
	u.look(in)
	return u.input(in)
}

// intent is what the engine wants of a unit as the fork stands.
func (f *fork) intent(u state.UnitRef) (effect.Intent, bool) {
	if f.making == nil || f.making.Index() != f.state.Index() {
		f.making = solver.NewIntents(f.state)
	}
	return f.making.Of(u)
}
