package state

import (
	"fmt"
	"strings"

	"github.com/gantry-orchestrator/gantry/engine/state/tables"
	"github.com/gantry-orchestrator/gantry/model"
)

// writer is a state while commands are applied to it. It keeps what it needs
// to take back the command that it is in.
type writer struct {
	State
	command *Command
	created []Key
	changed []Key
	seen    map[Key]bool
	undo    []func()
	images  []Image
}

// begin starts a command.
func (w *writer) begin(c *Command) {
	w.command = c
	w.created, w.changed, w.undo, w.images = nil, nil, nil, nil
	w.seen = map[Key]bool{}
}

// takeBack undoes everything that the command did.
func (w *writer) takeBack() {
	for i := len(w.undo) - 1; i >= 0; i-- {
		w.undo[i]()
	}
	w.created, w.changed, w.undo, w.images = nil, nil, nil, nil
}

// touch notes that a row changed, once.
func (w *writer) touch(k Key) bool {
	if w.seen[k] {
		return false
	}
	w.seen[k] = true
	if k.Table != tables.Answer && k.Table != tables.Revision {
		w.changed = append(w.changed, k)
	}
	return true
}

// cause is the revision that what is written now follows from.
func (w *writer) cause() uint64 {
	if w.command.Origin == Solver {
		return w.command.Cause
	}
	return w.head.Revision
}

// put writes a row, whole, with its stamp.
func put[T any](w *writer, t *table[T], row T) T {
	k := t.key(&row)
	stamp := t.stamp(&row)
	*stamp = Stamp{CreateIndex: w.head.Index, ModifyIndex: w.head.Index, Cause: w.cause()}
	if was, ok := t.find(k); ok {
		stamp.CreateIndex = t.stamp(&was).CreateIndex
	}
	write(w, t, k, &row)
	return row
}

// remove deletes a row, if it is there.
func remove[T any](w *writer, t *table[T], k Key) {
	if _, ok := t.find(k); ok {
		write(w, t, k, nil)
	}
}

func write[T any](w *writer, t *table[T], k Key, row *T) {
	was, existed := t.set(k, row)
	if w.touch(k) && declared[k.Table] {
		w.images = append(w.images, imageOf(k, was, existed))
	}
	w.undo = append(w.undo, func() {
		if existed {
			t.set(k, &was)
		} else {
			t.set(k, nil)
		}
	})
}

// declared are the tables whose rows operators declare: a revision keeps what
// they were.
var declared = map[tables.Name]bool{
	tables.Model: true, tables.Charm: true, tables.Application: true, tables.Machine: true, tables.Relation: true,
	tables.User: true, tables.Access: true,
}

// model returns a model that may still be added to.
func (w *writer) living(name model.ModelName) (Model, error) {
	m, err := w.model(name)
	if err == nil && m.Life != model.Alive {
		return m, fmt.Errorf("model %s is being destroyed: %w", name, model.ErrConflict)
	}
	return m, err
}

func (w *writer) model(name model.ModelName) (Model, error) {
	m, ok := w.Model(name)
	if !ok {
		return m, fmt.Errorf("model %q%s: %w; see gantry models", name, suggest(string(name), w.Models(), func(m Model) string { return string(m.Name) }), model.ErrNotFound)
	}
	return m, nil
}

func (w *writer) application(m model.ModelName, name model.ApplicationName) (Application, error) {
	a, ok := w.Application(ApplicationRef{m, name})
	if !ok {
		return a, fmt.Errorf("application %q%s: %w; see gantry status", name, suggest(string(name), w.Applications(m), func(a Application) string { return string(a.Name) }), model.ErrNotFound)
	}
	return a, nil
}

// livingApplication returns an application that may still be changed.
func (w *writer) livingApplication(m model.ModelName, name model.ApplicationName) (Application, error) {
	a, err := w.application(m, name)
	if err == nil && a.Life != model.Alive {
		return a, fmt.Errorf("application %s is being removed: %w", name, model.ErrConflict)
	}
	return a, err
}

func (w *writer) unit(m model.ModelName, name model.UnitName) (Unit, error) {
	u, ok := w.Unit(UnitRef{m, name})
	if !ok {
		return u, fmt.Errorf("unit %v: %w; see gantry status %s", name, model.ErrNotFound, name.Application)
	}
	return u, nil
}

func (w *writer) machine(m model.ModelName, name model.MachineName) (Machine, error) {
	got, ok := w.Machine(MachineRef{m, name})
	if !ok {
		return got, fmt.Errorf("machine %q: %w; see gantry machines", name, model.ErrNotFound)
	}
	return got, nil
}

func (w *writer) relation(m model.ModelName, id model.RelationID) (Relation, error) {
	r, ok := w.Relation(RelationRef{m, id})
	if !ok {
		return r, fmt.Errorf("relation %d: %w; see gantry status --relations", id, model.ErrNotFound)
	}
	return r, nil
}

// suggest is a clause that names the row whose name is nearest.
func suggest[T any](word string, rows []T, name func(T) string) string {
	names := make([]string, len(rows))
	for i, r := range rows {
		names[i] = name(r)
	}
	return model.DidYouMean(word, names)
}

// plain refuses text that could not be told from the separators of keys.
func plain(what string, texts ...string) error {
	for _, t := range texts {
		if t == "" || strings.Contains(t, separator) {
			return fmt.Errorf("%s %q: expected text without NUL, not empty: %w", what, t, model.ErrInvalid)
		}
	}
	return nil
}
