package history

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

// The parts of a status are the model, its applications without their units,
// units, machines and relations, each a document of its own: where one unit
// changed, one document is written.
const (
	modelPart       = "model"
	applicationPart = "application/"
	unitPart        = "unit/"
	machinePart     = "machine/"
	relationPart    = "relation/"
)

// unitDocument is a unit and the application that its status shows it under.
type unitDocument struct {
	Application model.ApplicationName `json:"application"`
	Unit        operator.Unit         `json:"unit"`
}

// Parts takes a status apart: documents by name.
func Parts(s operator.Status) (map[string][]byte, error) {
	parts := map[string][]byte{}
	var err error
	put := func(name string, document any) {
		b, e := json.Marshal(document)
		parts[name] = b
		err = cmp.Or(err, e)
	}
	// What changes with every entry of the log says nothing of the model.
	s.Model.Now, s.Model.Index = time.Time{}, 0
	put(modelPart, s.Model)
	for _, a := range s.Applications {
		for _, u := range a.Units {
			put(unitPart+u.Name.String(), unitDocument{a.Name, u})
		}
		a.Units = nil
		put(applicationPart+string(a.Name), a)
	}
	for _, m := range s.Machines {
		put(machinePart+string(m.Name), m)
	}
	for _, r := range s.Relations {
		put(fmt.Sprintf("%s%d", relationPart, r.ID), r)
	}
	return parts, err
}

// join puts a status together from its parts.
func join(parts map[string][]byte) (s operator.Status, err error) {
	s = operator.Status{Applications: []operator.Application{}, Machines: []operator.Machine{}, Relations: []operator.Relation{}}
	var units []unitDocument
	for name, b := range parts {
		switch kind := name[:len(name)-len(trimKind(name))]; kind {
		case modelPart:
			err = cmp.Or(err, json.Unmarshal(b, &s.Model))
		case applicationPart:
			s.Applications, err = decoded(s.Applications, b, err)
		case unitPart:
			units, err = decoded(units, b, err)
		case machinePart:
			s.Machines, err = decoded(s.Machines, b, err)
		case relationPart:
			s.Relations, err = decoded(s.Relations, b, err)
		}
	}
	slices.SortFunc(s.Applications, func(a, b operator.Application) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortFunc(units, func(a, b unitDocument) int {
		return cmp.Or(cmp.Compare(a.Unit.Name.Application, b.Unit.Name.Application), a.Unit.Name.Number-b.Unit.Name.Number)
	})
	slices.SortFunc(s.Machines, func(a, b operator.Machine) int {
		return cmp.Or(len(a.Name)-len(b.Name), cmp.Compare(a.Name, b.Name))
	})
	slices.SortFunc(s.Relations, func(a, b operator.Relation) int { return cmp.Compare(a.ID, b.ID) })
	for _, u := range units {
		for i := range s.Applications {
			if s.Applications[i].Name == u.Application {
				s.Applications[i].Units = append(s.Applications[i].Units, u.Unit)
			}
		}
	}
	return s, err
}

// trimKind is a part's name without its kind.
func trimKind(name string) string {
	for _, kind := range []string{applicationPart, unitPart, machinePart, relationPart} {
		if len(name) > len(kind) && name[:len(kind)] == kind {
			return name[len(kind):]
		}
	}
	return ""
}

func decoded[T any](list []T, b []byte, err error) ([]T, error) {
	var one T
	err = cmp.Or(err, json.Unmarshal(b, &one))
	return append(list, one), err
}

// lookPart is the part of no model that says that all of them were looked at.
const lookPart = "look"

// Looked says that at a state every model was looked at, and that what differed
// from before was offered. It is recorded at each revision's first look.
func Looked(epoch, index, revision uint64, at time.Time) Part {
	return Part{Name: lookPart, Epoch: epoch, Index: index, Revision: revision, At: at, Document: []byte("{}")}
}

// PartsAt returns the parts of a model's status at a moment, the newest for
// the zero moment, and when the newest of them was recorded.
func (h *History) PartsAt(ctx context.Context, m model.ModelName, at operator.Moment) (parts map[string][]byte, newest Part, err error) {
	db, err := h.reader()
	if err != nil {
		return nil, newest, err
	}
	until, revision, err := h.resolve(ctx, db, m, at)
	if err != nil {
		return nil, newest, err
	}
	list, err := all(ctx, db, `SELECT part, idx, at, revision, doc FROM (
			SELECT part, idx, at, revision, doc, row_number() OVER (PARTITION BY part ORDER BY epoch DESC, idx DESC, at DESC) AS nth
			FROM part WHERE model = ? AND at <= ? AND revision <= ?
		) WHERE nth = 1`, []any{string(m), until, revision}, scanPart)
	if err != nil {
		return nil, newest, failedTo("read a status", err)
	}
	parts = map[string][]byte{}
	for _, p := range list {
		if p.At.After(newest.At) {
			newest = p
		}
		if len(p.Document) > 0 {
			parts[p.Name] = p.Document
		}
	}
	return parts, newest, nil
}

// resolve finds up to when, and up to which revision, the parts are of a
// moment. A revision is as it was last seen before the next; one that was
// followed before anybody looked is as it was first seen after, and so is a
// model at a time before the first look at it.
func (h *History) resolve(ctx context.Context, db *sql.DB, m model.ModelName, at operator.Moment) (until, revision int64, err error) {
	if at == (operator.Moment{}) {
		return forever, forever, nil
	}
	r, err := retention(ctx, db)
	if err != nil {
		return 0, 0, failedTo("read a status", err)
	}
	oldest := micros(h.config.Now().Add(-r.Status))
	var seen bool
	var next sql.NullInt64
	if at.Revision > 0 {
		err = db.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM part WHERE model = '' AND part = ?1 AND revision = ?2),
			(SELECT min(at) FROM part WHERE model = '' AND part = ?1 AND revision > ?2)`, lookPart, int64(at.Revision)).Scan(&seen, &next)
		until, revision = forever, int64(at.Revision)
	} else {
		err = db.QueryRowContext(ctx, `SELECT NOT EXISTS (SELECT 1 FROM event WHERE model = ?1 AND at <= ?3) OR
			EXISTS (SELECT 1 FROM part WHERE model = ?1 AND part = ?2 AND at <= ?3),
			(SELECT min(at) FROM part WHERE model = ?1 AND part = ?2 AND at > ?3)`, string(m), modelPart, micros(at.Time)).Scan(&seen, &next)
		until, revision = micros(at.Time), forever
	}
	switch {
	case err != nil:
		return 0, 0, failedTo("read a status", err)
	case !at.Time.IsZero() && until < oldest, !seen && next.Valid && next.Int64 < oldest:
		return 0, 0, fmt.Errorf("statuses are kept for %v, that is longer ago: see gantry retention: %w", r.Status, model.ErrNotFound)
	case seen:
		return until, revision, nil
	case next.Valid:
		return next.Int64, forever, nil
	}
	return 0, 0, fmt.Errorf("it is not recorded yet: try again: %w", model.ErrUnavailable)
}

func scanPart(rows *sql.Rows) (p Part, err error) {
	var index, at, revision int64
	err = rows.Scan(&p.Name, &index, &at, &revision, &p.Document)
	p.Index, p.At, p.Revision = uint64(index), instant(at), uint64(revision)
	return p, err
}

// StatusAt returns a model's status as it was.
func (h *History) StatusAt(ctx context.Context, m model.ModelName, at operator.Moment) (operator.PastStatus, error) {
	parts, newest, err := h.PartsAt(ctx, m, at)
	if err != nil {
		return operator.PastStatus{}, err
	}
	if parts[modelPart] == nil {
		return operator.PastStatus{}, fmt.Errorf("the history has no model %s then: see gantry history, gantry retention: %w", m, model.ErrNotFound)
	}
	s, err := join(parts)
	if err != nil {
		return operator.PastStatus{}, fmt.Errorf("read a status of model %s: %w", m, err)
	}
	s.Model.Index, s.Model.Now = newest.Index, newest.At
	if !at.Time.IsZero() {
		s.Model.Now = at.Time
	}
	return operator.PastStatus{Status: s, Recorded: newest.At}, nil
}
