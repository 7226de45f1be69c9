package state

import (
	"fmt"

	"github.com/gantry-orchestrator/gantry/engine/state/tables"
	"github.com/gantry-orchestrator/gantry/model"
)

func (o Advance) summary() string { return fmt.Sprintf("%s %v", o.To, o.Subject) }

// apply takes a subject one step nearer to its end: a flat choice by what the
// subject is.
func (o Advance) apply(w *writer) error {
	m := o.Subject.Model
	switch o.Subject.Table {
	case tables.Unit:
		r, ok := o.Subject.Unit()
		u, exists := w.Unit(r)
		if !ok || !exists {
			return o.missing()
		}
		return o.unit(w, u)
	case tables.Relation:
		r, _ := o.Subject.Relation()
		rel, exists := w.Relation(r)
		if !exists {
			return o.missing()
		}
		if rel.Life == model.Alive || o.To != Forget {
			return o.refused(rel.Life)
		}
		w.forgetRelation(rel)
		return nil
	case tables.Application:
		a, err := w.application(m, o.Subject.Application().Application)
		if err != nil {
			return err
		}
		return o.application(w, a)
	case tables.Machine:
		machine, err := w.machine(m, model.MachineName(o.Subject.ID))
		if err != nil {
			return err
		}
		return o.machine(w, machine)
	case tables.Model:
		row, err := w.model(m)
		if err != nil {
			return err
		}
		return o.model(w, row)
	default:
		return fmt.Errorf("%s: it has no life of its own: %w", o.summary(), model.ErrInvalid)
	}
}

func (o Advance) missing() error { return fmt.Errorf("%s: %w", o.summary(), model.ErrNotFound) }

func (o Advance) refused(l model.Life) error {
	return fmt.Errorf("%s: it is %v: %w", o.summary(), l, model.ErrConflict)
}

func (o Advance) unit(w *writer, u Unit) error {
	switch {
	case o.To == Drain && u.Life == model.Alive:
		w.departUnit(u, departure{})
		return nil
	case o.To == Teardown && u.Life == model.Dying && !u.Teardown:
		u.Teardown = true
	case o.To == Bury && u.Life == model.Dying:
		u.Life = model.Dead
		w.bury(u, o.Leftovers)
	case o.To == Forget && u.Life == model.Dead:
		w.forgetUnit(u)
		return nil
	default:
		return o.refused(u.Life)
	}
	u.Turned, u.Since = w.head.Index, w.head.Now
	put(w, &w.units, u)
	return nil
}

// bury ends what a unit held, and notes what it left behind.
func (w *writer) bury(u Unit, leftovers []string) {
	for _, t := range w.TurnsOf(u.Ref()) {
		if t.Held {
			t.Held = false
			put(w, &w.turns, t)
		}
	}
	for _, op := range w.PendingOn(u.Ref()) {
		w.finish(op, "its unit is gone")
	}
	if len(leftovers) == 0 {
		return
	}
	l := Leftover{Model: u.Model, Unit: u.Name, Machine: u.Machine, Items: leftovers}
	if m, ok := w.Machine(MachineRef{u.Model, u.Machine}); ok {
		l.MachineUUID = m.UUID
	}
	put(w, &w.leftovers, l)
}

// forgetUnit removes a tombstone and all that was the unit's own. Its machine
// counts as changed: of a row that is gone nobody can tell where it was.
func (w *writer) forgetUnit(u Unit) {
	owner := unitOwner(u.Name)
	for _, r := range w.Relations(u.Ref().Application()) {
		remove(w, &w.bags, bagKey(u.Model, r.ID, owner))
	}
	w.disown(u.Model, owner)
	for _, t := range w.TurnsOf(u.Ref()) {
		remove(w, &w.turns, turnSchema.key(&t))
	}
	for _, x := range w.Warrants(u.Ref()) {
		remove(w, &w.warrants, warrantSchema.key(&x))
	}
	remove(w, &w.units, u.Ref().Key())
	if u.Machine != "" {
		w.touch(MachineRef{u.Model, u.Machine}.Key())
	}
	w.renewAround(u.Ref().Application())
}

// disown removes an owner's records and secrets.
func (w *writer) disown(m model.ModelName, o Owner) {
	for _, r := range w.Records(m, o) {
		remove(w, &w.records, recordSchema.key(&r))
	}
	for _, s := range w.Secrets(m, o) {
		remove(w, &w.secrets, secretSchema.key(&s))
	}
}

func (o Advance) application(w *writer, a Application) error {
	if a.Life == model.Alive || o.To != Forget {
		return o.refused(a.Life)
	}
	if units := w.Units(a.Ref()); len(units) > 0 {
		return fmt.Errorf("%s: %v is still there: %w", o.summary(), units[0].Name, model.ErrConflict)
	}
	for _, r := range w.Relations(a.Ref()) {
		if !r.Peer() {
			return fmt.Errorf("%s: relation %d is still there: %w", o.summary(), r.ID, model.ErrConflict)
		}
	}
	for _, r := range w.Relations(a.Ref()) {
		w.forgetRelation(r)
	}
	w.disown(a.Model, applicationOwner(a.Name))
	for _, c := range w.Claims(a.Ref()) {
		remove(w, &w.claims, claimSchema.key(&c))
	}
	for _, order := range w.Orders(a.Ref()) {
		remove(w, &w.orders, orderSchema.key(&order))
	}
	remove(w, &w.leases, LeaseKey(a.Ref()))
	remove(w, &w.applications, a.Ref().Key())
	return nil
}

func (o Advance) machine(w *writer, m Machine) error {
	switch {
	case o.To == Drain && m.Life == model.Alive:
		w.departMachine(m)
		return nil
	case o.To == Bury && m.Life == model.Dying:
		for _, u := range w.UnitsOn(m.Ref()) {
			if u.Life != model.Dead {
				return fmt.Errorf("%s: %v is on it: %w", o.summary(), u.Name, model.ErrConflict)
			}
		}
		m.Life, m.Since = model.Dead, w.head.Now
		put(w, &w.machines, m)
		return nil
	default:
		return o.refused(m.Life)
	}
}

func (o Advance) model(w *writer, m Model) error {
	if m.Life == model.Alive || o.To != Forget {
		return o.refused(m.Life)
	}
	if apps, machines := w.Applications(m.Name), w.Machines(m.Name); len(apps)+len(machines) > 0 {
		return fmt.Errorf("%s: %d applications and %d machines are still there: %w", o.summary(), len(apps), len(machines), model.ErrConflict)
	}
	for _, t := range w.tables() {
		t.dropModel(w, m.Name)
	}
	for _, t := range w.tokens.indexed(tokenByModel, radixKey(m.Name, "")) {
		remove(w, &w.tokens, tokenKey(t.Hash))
	}
	return nil
}
