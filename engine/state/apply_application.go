package state

import (
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/charm"
)

func (o AddApplication) summary() string {
	return fmt.Sprintf("deploy %s as %s, %d units", o.Charm, o.Name, o.Units)
}

func (o AddApplication) apply(w *writer) error {
	if _, err := w.living(o.Model); err != nil {
		return err
	}
	if _, err := model.ParseApplicationName(string(o.Name)); err != nil {
		return err
	}
	if old, exists := w.Application(ApplicationRef{o.Model, o.Name}); exists {
		if old.Life != model.Alive {
			return fmt.Errorf("application %s is still being removed: wait, or choose another name: %w", o.Name, model.ErrConflict)
		}
		return fmt.Errorf("application %s: there is one already: choose another name: %w", o.Name, model.ErrConflict)
	}
	c, err := w.charm(o.Model, o.Charm, o.Hash)
	if err != nil {
		return err
	}
	if c.Declared.Meta.Subordinate && o.Units > 0 {
		return fmt.Errorf("%s is a subordinate: it gets its units by a relation, not by a number: %w", o.Charm, model.ErrInvalid)
	}
	config, err := validated(c, o.Config)
	if err != nil {
		return err
	}
	put(w, &w.applications, Application{
		Model: o.Model, Name: o.Name, Charm: o.Charm, Hash: o.Hash, Config: config, Constraints: o.Constraints,
		Base: o.Base, Trust: o.Trust, Exposed: o.Exposed, Subordinate: c.Declared.Meta.Subordinate,
	})
	if err := w.joinPeers(o.Model, o.Name, c); err != nil {
		return err
	}
	if o.Units == 0 && len(o.To) == 0 {
		return nil
	}
	return AddUnits{Model: o.Model, Application: o.Name, Count: o.Units, To: o.To}.apply(w)
}

// charm returns a charm that the model must know.
func (w *writer) charm(m model.ModelName, name model.CharmName, hash string) (Charm, error) {
	c, ok := w.Charm(m, name, hash)
	if !ok {
		return c, fmt.Errorf("charm %s (%.12s): %w in model %s", name, hash, model.ErrNotFound, m)
	}
	return c, nil
}

// validated gives settings the types of the charm's options.
func validated(c Charm, s charm.Settings) (charm.Settings, error) {
	if len(s) == 0 {
		return nil, nil
	}
	typed, err := c.Declared.Config.Validate(s)
	if err != nil && model.Class(err) == nil {
		err = errors.Join(err, model.ErrInvalid)
	}
	return typed, err
}

// joinPeers makes the peer relations of an application that it does not have.
func (w *writer) joinPeers(m model.ModelName, name model.ApplicationName, c Charm) error {
	have := map[model.EndpointName]bool{}
	for _, r := range w.Relations(ApplicationRef{m, name}) {
		have[r.Ends[0].Endpoint] = have[r.Ends[0].Endpoint] || r.Peer()
	}
	for _, e := range c.Declared.Meta.ByRole(model.Peer) {
		if have[e.Name] {
			continue
		}
		_, err := w.join(Relation{
			Model: m, Interface: e.Interface, Scope: model.GlobalScope,
			Ends: []End{{Application: name, Endpoint: e.Name, Role: model.Peer}},
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (o SetConfig) summary() string {
	return fmt.Sprintf("configure %s: %s", o.Application, strings.Join(append(o.Set.Names(), o.Unset...), ", "))
}

func (o SetConfig) apply(w *writer) error {
	a, err := w.livingApplication(o.Model, o.Application)
	if err != nil {
		return err
	}
	c, err := w.charm(a.Model, a.Charm, a.Hash)
	if err != nil {
		return err
	}
	set, err := validated(c, o.Set)
	if err != nil {
		return fmt.Errorf("configure %s: %w", a.Name, err)
	}
	config := maps.Clone(a.Config)
	if config == nil {
		config = charm.Settings{}
	}
	for _, name := range o.Unset {
		if _, known := c.Declared.Config.Option(name); !known {
			return fmt.Errorf("configure %s: unknown option %q%s: %w", a.Name, name, model.DidYouMean(name, c.Declared.Config.Names()), model.ErrInvalid)
		}
		delete(config, name)
	}
	maps.Copy(config, set)
	if !config.Equal(a.Config) {
		a.Config = config
		put(w, &w.applications, a)
	}
	return nil
}

func (o SetTraits) summary() string { return "change how " + string(o.Application) + " is run" }

func (o SetTraits) apply(w *writer) error {
	a, err := w.livingApplication(o.Model, o.Application)
	if err != nil {
		return err
	}
	was := [...]any{a.Constraints, a.Trust, a.Exposed}
	if o.Constraints != nil {
		a.Constraints = *o.Constraints
	}
	if o.Trust != nil {
		a.Trust = *o.Trust
	}
	if o.Exposed != nil {
		a.Exposed = *o.Exposed
	}
	if was != [...]any{a.Constraints, a.Trust, a.Exposed} {
		put(w, &w.applications, a)
	}
	return nil
}

func (o SetCharm) summary() string {
	return fmt.Sprintf("move %s to charm %s (%.12s)", o.Application, o.Charm, o.Hash)
}

func (o SetCharm) apply(w *writer) error {
	a, err := w.livingApplication(o.Model, o.Application)
	if err != nil || a.Charm == o.Charm && a.Hash == o.Hash {
		return err
	}
	c, err := w.charm(o.Model, o.Charm, o.Hash)
	if err != nil {
		return err
	}
	if c.Declared.Meta.Subordinate != a.Subordinate {
		return fmt.Errorf("move %s to %s: one of them is a subordinate: deploy it beside: %w", a.Name, o.Charm, model.ErrInvalid)
	}
	for _, r := range w.Relations(a.Ref()) {
		own, _, _ := r.End(a.Name)
		e, ok := c.Declared.Meta.Endpoint(own.Endpoint)
		switch {
		case ok && e.Interface == r.Interface && e.Role == own.Role:
		case r.Peer():
			w.forgetRelation(r)
		default:
			return fmt.Errorf("move %s to %s: it lacks %s, which relation %d uses: remove the relation first: %w", a.Name, o.Charm, own.Endpoint, r.ID, model.ErrConflict)
		}
	}
	kept := charm.Settings{}
	for name, v := range a.Config {
		if typed, err := c.Declared.Config.Coerce(name, v); err == nil {
			kept[name] = typed
		}
	}
	a.Charm, a.Hash, a.Config = o.Charm, o.Hash, kept
	put(w, &w.applications, a)
	return w.joinPeers(o.Model, a.Name, c)
}

func (o RemoveApplication) summary() string { return "remove application " + string(o.Application) }

func (o RemoveApplication) apply(w *writer) error {
	a, err := w.application(o.Model, o.Application)
	if err != nil {
		return err
	}
	w.departApplication(a, departure{o.DestroyStorage, o.Force})
	return nil
}

// departApplication makes an application dying, with its relations and units.
func (w *writer) departApplication(a Application, d departure) {
	if a.Life == model.Alive {
		a.Life = model.Dying
		put(w, &w.applications, a)
	}
	for _, r := range w.Relations(a.Ref()) {
		if !r.Peer() {
			w.departRelation(r, false)
		}
	}
	if o, open := w.OpenOrder(a.Ref()); open {
		o.Closed, o.Cancelled = true, true
		put(w, &w.orders, o)
	}
	for _, u := range w.Units(a.Ref()) {
		w.departUnit(u, d)
	}
}

// renew writes an application again, so that the generation of its units'
// intents rises when something that was in them has gone.
func (w *writer) renew(r ApplicationRef) {
	if a, ok := w.Application(r); ok {
		put(w, &w.applications, a)
	}
}

// renewAround renews an application and all that it is related to.
func (w *writer) renewAround(r ApplicationRef) {
	w.renew(r)
	for _, rel := range w.Relations(r) {
		if _, remote, _ := rel.End(r.Application); remote.Application != r.Application {
			w.renew(ApplicationRef{r.Model, remote.Application})
		}
	}
}
