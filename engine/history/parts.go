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

// PartsAt returns the parts of a model's status at a moment, the newest for
// the zero moment, and when the newest of them was recorded.
func (h *History) PartsAt(ctx context.Context, m model.ModelName, at operator.Moment) (parts map[string][]byte, newest Part, err error) {
	db, err := h.reader()
	if err != nil {
		return nil, newest, err
	}
	until, revision := forever, forever
	if !at.Time.IsZero() {
		until = micros(at.Time)
	}
	if at.Revision > 0 {
		revision = int64(at.Revision)
	}
	list, err := all(ctx, db, `SELECT part, idx, at, revision, doc FROM (
			SELECT part, idx, at, revision, doc, row_number() OVER (PARTITION BY part ORDER BY idx DESC, at DESC) AS nth
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
		return operator.PastStatus{}, fmt.Errorf("the history has no status of model %s then: see gantry history, gantry retention: %w", m, model.ErrNotFound)
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
