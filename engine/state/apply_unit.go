package state

import (
	"fmt"
	"strings"

	"github.com/gantry-orchestrator/gantry/model"
)

// maxUnits bounds one application, so that a slip of the keyboard is refused.
const maxUnits = 10000

func (o AddUnits) summary() string { return fmt.Sprintf("add %d units of %s", o.Count, o.Application) }

func (o AddUnits) apply(w *writer) error {
	a, err := w.livingApplication(o.Model, o.Application)
	if err != nil {
		return err
	}
	switch {
	case a.Subordinate:
		return fmt.Errorf("%s is a subordinate: it gets a unit beside each of its principal's: %w", a.Name, model.ErrInvalid)
	case o.Count < 1 || a.Planned+o.Count > maxUnits:
		return fmt.Errorf("add %d units of %s: expected at least 1, and no more than %d in all: %w", o.Count, a.Name, maxUnits, model.ErrInvalid)
	case len(o.To) > o.Count:
		return fmt.Errorf("add %d units of %s: %d placements are too many: %w", o.Count, a.Name, len(o.To), model.ErrInvalid)
	}
	for i := range o.Count {
		u := Unit{To: Placement{}}
		if i < len(o.To) {
			u.To = o.To[i]
		}
		if u.To.Machine != "" {
			if _, err := w.machine(o.Model, u.To.Machine); err != nil {
				return err
			}
		}
		w.newUnit(&a, u)
	}
	put(w, &w.applications, a)
	return nil
}

// newUnit makes a unit's row under the application's next number. The caller
// writes the application.
func (w *writer) newUnit(a *Application, u Unit) {
	u.Model, u.Name = a.Model, model.UnitName{Application: a.Name, Number: a.NextUnit}
	u.Turned, u.Since = w.head.Index, w.head.Now
	a.NextUnit++
	a.Planned++
	put(w, &w.units, u)
	w.created = append(w.created, u.Ref().Key())
}

func (o RemoveUnits) summary() string {
	names := make([]string, len(o.Units))
	for i, u := range o.Units {
		names[i] = u.String()
	}
	return "remove " + strings.Join(names, ", ")
}

func (o RemoveUnits) apply(w *writer) error {
	if len(o.Units) == 0 {
		return fmt.Errorf("remove units: none is named: %w", model.ErrInvalid)
	}
	for _, name := range o.Units {
		u, err := w.unit(o.Model, name)
		if err != nil {
			return err
		}
		if !u.Principal.IsZero() && !o.Force {
			return fmt.Errorf("remove %v: it accompanies %v: remove that, or the relation: %w", name, u.Principal, model.ErrInvalid)
		}
		if o.Force && !w.beyondReach(u) {
			return fmt.Errorf("remove %v by force: machine %s may still run it: stop it for good, then run gantry remove-machine %s --force: %w", name, u.Machine, u.Machine, model.ErrConflict)
		}
		w.departUnit(u, departure{o.DestroyStorage, o.Force})
	}
	return nil
}

// departure is how a unit is asked to go.
type departure struct {
	destroyStorage bool
	force          bool // as far as it is safe: see beyondReach
}

// beyondReach reports whether nothing of a unit can run any more: its machine
// was never made, or an operator vouches that it is lost.
func (w *writer) beyondReach(u Unit) bool {
	m, ok := w.Machine(MachineRef{u.Model, u.Machine})
	return !ok || m.Fenced || m.State == MachineRequested
}

// departUnit makes a unit dying, once.
func (w *writer) departUnit(u Unit, d departure) {
	if u.Life == model.Dead {
		return
	}
	if d.destroyStorage {
		put(w, &w.warrants, Warrant{Model: u.Model, Unit: u.Name, Permit: anyWarrant})
	}
	force := d.force && !u.Forced && w.beyondReach(u)
	if u.Life != model.Alive && !force {
		return
	}
	u.Forced = u.Forced || force
	if u.Life == model.Alive {
		u.Life, u.Turned, u.Since = model.Dying, w.head.Index, w.head.Now
		if a, ok := w.Application(u.Ref().Application()); ok {
			a.Planned--
			put(w, &w.applications, a)
		}
	}
	put(w, &w.units, u)
}

func (o CreateSubordinate) summary() string {
	return fmt.Sprintf("create a unit of %s beside %v", o.Application, o.Principal)
}

func (o CreateSubordinate) apply(w *writer) error {
	a, err := w.livingApplication(o.Model, o.Application)
	if err != nil {
		return err
	}
	p, err := w.unit(o.Model, o.Principal)
	if err != nil {
		return err
	}
	if !a.Subordinate || p.Life != model.Alive || p.Machine == "" {
		return fmt.Errorf("%s: %w", o.summary(), model.ErrConflict)
	}
	for _, u := range w.Subordinates(p.Ref()) {
		if u.Name.Application == a.Name {
			return fmt.Errorf("%s: %v is there: %w", o.summary(), u.Name, model.ErrConflict)
		}
	}
	w.newUnit(&a, Unit{Principal: p.Name, Machine: p.Machine})
	put(w, &w.applications, a)
	return nil
}

func (o AssignUnit) summary() string { return fmt.Sprintf("place %v on machine %s", o.Unit, o.Machine) }

func (o AssignUnit) apply(w *writer) error {
	m, err := w.machine(o.Model, o.Machine)
	if err != nil {
		return err
	}
	if m.Life != model.Alive {
		return fmt.Errorf("%s: the machine is being removed: %w", o.summary(), model.ErrConflict)
	}
	if !m.Used {
		m.Used = true
		put(w, &w.machines, m)
	}
	return w.assign(o.Model, o.Unit, o.Machine)
}

// assign places a unit, once: it never moves.
func (w *writer) assign(m model.ModelName, name model.UnitName, to model.MachineName) error {
	u, err := w.unit(m, name)
	if err != nil {
		return err
	}
	if u.Life != model.Alive || u.Machine != "" {
		return fmt.Errorf("place %v on machine %s: it is %v and on machine %q: %w", name, to, u.Life, u.Machine, model.ErrConflict)
	}
	u.Machine = to
	put(w, &w.units, u)
	return nil
}

func (o RequestMachine) summary() string { return fmt.Sprintf("request a machine for %v", o.Units) }

func (o RequestMachine) apply(w *writer) error {
	m, err := w.living(o.Model)
	if err != nil {
		return err
	}
	row := w.newMachine(m, Machine{Constraints: o.Constraints, Base: o.Base, Packages: o.Packages, Used: true})
	for _, u := range o.Units {
		if err := w.assign(o.Model, u, row.Name); err != nil {
			return err
		}
	}
	return nil
}
