package state

import (
	"fmt"

	"github.com/gantry-orchestrator/gantry/model"
)

func (o AddRelation) summary() string { return fmt.Sprintf("integrate %v with %v", o.A, o.B) }

func (o AddRelation) apply(w *writer) error {
	if _, err := w.living(o.Model); err != nil {
		return err
	}
	if o.A.Application == o.B.Application {
		return fmt.Errorf("%s: an application cannot be related to itself: %w", o.summary(), model.ErrInvalid)
	}
	a, ea, err := w.endpoint(o.Model, o.A)
	if err != nil {
		return fmt.Errorf("%s: %w", o.summary(), err)
	}
	b, eb, err := w.endpoint(o.Model, o.B)
	if err != nil {
		return fmt.Errorf("%s: %w", o.summary(), err)
	}
	if ea.Role == model.Requires {
		a, ea, b, eb = b, eb, a, ea
	}
	if ea.Role != model.Provides || eb.Role != model.Requires || ea.Interface != eb.Interface {
		return fmt.Errorf("%s: %v does not fit %v: %w", o.summary(), ea, eb, model.ErrInvalid)
	}
	r := Relation{Model: o.Model, Interface: ea.Interface, Scope: model.GlobalScope, Ends: []End{
		{Application: a.Name, Endpoint: ea.Name, Role: ea.Role},
		{Application: b.Name, Endpoint: eb.Name, Role: eb.Role},
	}}
	if ea.Scope == model.ContainerScope || eb.Scope == model.ContainerScope {
		r.Scope = model.ContainerScope
		if a.Subordinate == b.Subordinate {
			return fmt.Errorf("%s: its scope is a machine, so exactly one of them must be a subordinate: %w", o.summary(), model.ErrInvalid)
		}
	}
	for _, end := range []struct {
		a Application
		e model.Endpoint
	}{{a, ea}, {b, eb}} {
		if err := w.within(end.a, end.e, r); err != nil {
			return fmt.Errorf("%s: %w", o.summary(), err)
		}
	}
	_, err = w.join(r)
	return err
}

// endpoint returns a named endpoint of an application that is alive.
func (w *writer) endpoint(m model.ModelName, ref model.EndpointRef) (Application, model.Endpoint, error) {
	a, err := w.livingApplication(m, ref.Application)
	if err != nil {
		return a, model.Endpoint{}, err
	}
	c, err := w.charm(m, a.Charm, a.Hash)
	if err != nil {
		return a, model.Endpoint{}, err
	}
	e, ok := c.Declared.Meta.Endpoint(ref.Endpoint)
	if !ok {
		return a, e, fmt.Errorf("%s has no endpoint %q%s: %w", a.Name, ref.Endpoint,
			model.DidYouMean(string(ref.Endpoint), c.Declared.Meta.EndpointNames()), model.ErrInvalid)
	}
	return a, e, nil
}

// within refuses a relation that is there already, or one more than an
// endpoint takes.
func (w *writer) within(a Application, e model.Endpoint, want Relation) error {
	used := 0
	for _, r := range w.Relations(a.Ref()) {
		own, remote, _ := r.End(a.Name)
		if r.Peer() || own.Endpoint != e.Name {
			continue
		}
		used++
		if _, other, _ := want.End(a.Name); remote == other {
			return fmt.Errorf("relation %d joins them already (%v): %w", r.ID, r.Life, model.ErrConflict)
		}
	}
	if e.Limit > 0 && used >= e.Limit {
		return fmt.Errorf("%s:%s takes %d relations and has %d: remove one first: %w", a.Name, e.Name, e.Limit, used, model.ErrConflict)
	}
	return nil
}

// join makes a relation's row under the model's next ID.
func (w *writer) join(r Relation) (Relation, error) {
	m, err := w.living(r.Model)
	if err != nil {
		return r, err
	}
	m.NextRelation++
	put(w, &w.models, m)
	r.ID, r.Turned, r.Since = m.NextRelation, w.head.Index, w.head.Now
	r = put(w, &w.relations, r)
	if !r.Peer() {
		w.created = append(w.created, r.Ref().Key())
	}
	return r, nil
}

func (o RemoveRelation) summary() string { return fmt.Sprintf("remove relation %d", o.Relation) }

func (o RemoveRelation) apply(w *writer) error {
	r, err := w.relation(o.Model, o.Relation)
	if err != nil {
		return err
	}
	if r.Peer() {
		return fmt.Errorf("%s: it joins the units of %s and goes with them: %w", o.summary(), r.Ends[0].Application, model.ErrInvalid)
	}
	w.departRelation(r, o.Force)
	return nil
}

// departRelation makes a relation dying, once.
func (w *writer) departRelation(r Relation, force bool) {
	if r.Life != model.Alive && (r.Forced || !force) {
		return
	}
	r.Forced = r.Forced || force
	if r.Life == model.Alive {
		r.Life, r.Turned, r.Since = model.Dying, w.head.Index, w.head.Now
	}
	put(w, &w.relations, r)
}

// forgetRelation removes a relation with all that was said in it.
func (w *writer) forgetRelation(r Relation) {
	for _, b := range w.Bags(r.Ref()) {
		remove(w, &w.bags, bagKey(b.Model, b.Relation, b.Owner))
	}
	for _, s := range w.Granted(r.Ref()) {
		kept := make([]model.RelationID, 0, len(s.Grants))
		for _, id := range s.Grants {
			if id != r.ID {
				kept = append(kept, id)
			}
		}
		s.Grants = kept
		put(w, &w.secrets, s)
	}
	remove(w, &w.relations, r.Ref().Key())
	for _, e := range r.Ends {
		w.renew(ApplicationRef{r.Model, e.Application})
	}
}
