package state

import (
	"fmt"
	"slices"

	"github.com/gantry-orchestrator/gantry/model"
)

func (o SetController) summary() string { return "set controller " + o.ID }

// apply refuses a controller that lacks what is active: it would not
// understand the log.
func (o SetController) apply(w *writer) error {
	if err := plain("controller ID", o.ID); err != nil {
		return err
	}
	if o.Level < w.head.Level {
		return fmt.Errorf("controller %s has features up to level %d, and %d is active: start it with a newer gantry: %w", o.ID, o.Level, w.head.Level, model.ErrConflict)
	}
	row := Controller{ID: o.ID, Address: o.Address, Unit: o.Unit, Version: o.Version, Level: o.Level, Joined: w.head.Now}
	was, known := w.Controller(o.ID)
	if known {
		if !was.Left.IsZero() {
			return fmt.Errorf("controller %s left: it joins again only under a new ID: %w", o.ID, model.ErrDenied)
		}
		row.Joined = was.Joined
		was.Stamp = Stamp{}
		if was == row {
			return nil
		}
	}
	put(w, &w.controllers, row)
	return nil
}

func (o RemoveController) summary() string { return "remove controller " + o.ID }

// apply keeps the row, so that who left is told apart from who is not known
// yet; of the rows of long ago it lets go.
func (o RemoveController) apply(w *writer) error {
	c, ok := w.Controller(o.ID)
	if !ok {
		return fmt.Errorf("controller %s: %w", o.ID, model.ErrNotFound)
	}
	if !c.Left.IsZero() {
		return nil
	}
	if len(w.Controllers()) == 1 {
		return fmt.Errorf("controller %s is the last one: use gantry down --destroy: %w", o.ID, model.ErrConflict)
	}
	c.Left = w.head.Now
	put(w, &w.controllers, c)
	w.forgetControllers()
	return nil
}

func (w *writer) forgetControllers() {
	var left []Controller
	for _, c := range w.controllers.under(nil) {
		if !c.Left.IsZero() {
			left = append(left, c)
		}
	}
	slices.SortStableFunc(left, func(a, b Controller) int { return a.Left.Compare(b.Left) })
	for len(left) > controllersKept {
		remove(w, &w.controllers, controllerKey(left[0].ID))
		left = left[1:]
	}
}

// KnownLevel is the highest feature level of this build.
const KnownLevel = 1

func (o RaiseLevel) summary() string { return fmt.Sprintf("raise the feature level to %d", o.Level) }

// apply decides by what the members committed of themselves, and not by what
// this build knows: all of them must come to the same answer.
func (o RaiseLevel) apply(w *writer) error {
	if o.Level < w.head.Level {
		return fmt.Errorf("%s: it is %d: %w", o.summary(), w.head.Level, model.ErrInvalid)
	}
	for _, c := range w.Controllers() {
		if c.Level < o.Level {
			return fmt.Errorf("%s: controller %s (gantry %s) has features up to %d: bring all controllers to one version: %w", o.summary(), c.ID, c.Version, c.Level, model.ErrConflict)
		}
	}
	w.head.Level = o.Level
	return nil
}
