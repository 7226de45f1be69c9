package state

import (
	"fmt"
	"maps"
	"slices"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// speaker returns a unit that an agent may still speak for.
func (w *writer) speaker(m model.ModelName, name model.UnitName) (Unit, error) {
	u, err := w.unit(m, name)
	if err != nil {
		return u, err
	}
	if u.Life == model.Dead {
		return u, fmt.Errorf("%v is dead: %w", name, model.ErrConflict)
	}
	host, err := w.machine(m, u.Machine)
	if err != nil {
		return u, err
	}
	return u, unfenced(host)
}

// leads refuses a unit that does not lead under the token that it shows.
func (w *writer) leads(u Unit, token uint64) error {
	l, ok := w.Lease(u.Ref().Application())
	if !ok || l.Holder != u.Name || l.Token != token {
		return fmt.Errorf("%v does not lead %s under token %d, but %v under %d: %w", u.Name, u.Name.Application, token, l.Holder, l.Token, model.ErrDenied)
	}
	return nil
}

func (o Publish) summary() string { return fmt.Sprintf("publish for %v", o.Unit) }

func (o Publish) apply(w *writer) error {
	u, err := w.speaker(o.Model, o.Unit)
	if err != nil {
		return err
	}
	for _, b := range o.Bags {
		if err := o.bag(w, u, b); err != nil {
			return err
		}
	}
	for _, r := range o.Records {
		if err := o.record(w, u, r); err != nil {
			return err
		}
	}
	return w.recordVersions(u, o.Versions)
}

func (o Publish) bag(w *writer, u Unit, b effect.Bag) error {
	r, ok := w.Relation(RelationRef{o.Model, b.Relation})
	if !ok {
		return nil
	}
	if _, _, ours := r.End(u.Name.Application); !ours {
		return fmt.Errorf("%s: relation %d is not one of its: %w", o.summary(), b.Relation, model.ErrDenied)
	}
	owner := unitOwner(u.Name)
	if b.Application {
		if err := w.leads(u, o.Token); err != nil {
			return err
		}
		owner = applicationOwner(u.Name.Application)
	}
	if old, exists := w.Bag(r.Ref(), owner); exists && maps.Equal(old.Data, b.Data) || !exists && len(b.Data) == 0 {
		return nil
	}
	put(w, &w.bags, Bag{Model: o.Model, Relation: r.ID, Owner: owner, Data: b.Data})
	return nil
}

// record writes a record unless there is one: the first commit wins.
func (o Publish) record(w *writer, u Unit, r effect.Record) error {
	owner, err := w.owner(u, r.Scope, o.Token)
	if err != nil {
		return err
	}
	return w.writeRecord(u.Model, owner, r.Name, r.Value)
}

func (w *writer) writeRecord(m model.ModelName, o Owner, name, value string) error {
	if err := plain("record", name); err != nil {
		return err
	}
	if _, exists := w.Record(m, o, name); !exists {
		put(w, &w.records, Record{Model: m, Owner: o, Name: name, Value: value})
	}
	return nil
}

// owner is whose a thing of a scope is, made by a unit under a token.
func (w *writer) owner(u Unit, scope effect.Scope, token uint64) (Owner, error) {
	switch scope {
	case effect.UnitScope:
		return unitOwner(u.Name), nil
	case effect.ApplicationScope:
		return applicationOwner(u.Name.Application), w.leads(u, token)
	default:
		return Owner{}, fmt.Errorf("scope %q of %v: expected unit or application: %w", scope, u.Name, model.ErrInvalid)
	}
}

// recordVersions keeps the versions of packages that had none: members then
// install the same.
func (w *writer) recordVersions(u Unit, versions map[string]string) error {
	a, err := w.application(u.Model, u.Name.Application)
	if err != nil {
		return err
	}
	all := map[string]string{}
	maps.Copy(all, versions)
	maps.Copy(all, a.Versions)
	if len(all) != len(a.Versions) {
		a.Versions = all
		put(w, &w.applications, a)
	}
	return nil
}

func (o PutSecret) summary() string { return fmt.Sprintf("make secret %s for %v", o.Name, o.Unit) }

func (o PutSecret) apply(w *writer) error {
	u, err := w.speaker(o.Model, o.Unit)
	if err != nil {
		return err
	}
	owner, err := w.owner(u, o.Scope, o.Token)
	if err != nil {
		return err
	}
	return w.writeSecret(o, owner)
}

// writeSecret makes a secret of an owner, or adds grants to the one of that
// name.
func (w *writer) writeSecret(o PutSecret, owner Owner) error {
	if err := plain("secret", o.Name, o.ID); err != nil {
		return err
	}
	for _, id := range o.Grants {
		if r, ok := w.Relation(RelationRef{o.Model, id}); ok {
			if _, _, ours := r.End(owner.Application); !ours {
				return fmt.Errorf("%s: relation %d is not one of its: %w", o.summary(), id, model.ErrDenied)
			}
		}
	}
	row, exists := w.SecretNamed(o.Model, owner, o.Name)
	if !exists {
		if _, taken := w.Secret(o.Model, o.ID); taken {
			return fmt.Errorf("%s: its ID is taken: %w", o.summary(), model.ErrConflict)
		}
		fields := slices.Clone(o.Fields)
		slices.Sort(fields)
		row = Secret{Model: o.Model, ID: o.ID, Name: o.Name, Owner: owner, Revision: 1, Fields: fields, Sealed: o.Sealed}
	}
	grants := slices.Clone(row.Grants)
	for _, id := range o.Grants {
		if _, ok := w.Relation(RelationRef{o.Model, id}); ok {
			grants = append(grants, id)
		}
	}
	slices.Sort(grants)
	grants = slices.Compact(grants)
	if !exists || len(grants) != len(row.Grants) {
		row.Grants = grants
		put(w, &w.secrets, row)
	}
	w.created = append(w.created, secretKey(row.Model, row.ID))
	return nil
}

func (o OpenClaim) summary() string { return fmt.Sprintf("claim task %s for %v", o.Task, o.Unit) }

func (o OpenClaim) apply(w *writer) error {
	if err := plain("task", o.Task, o.TaskKey); err != nil {
		return err
	}
	u, err := w.speaker(o.Model, o.Unit)
	if err != nil {
		return err
	}
	if err := w.leads(u, o.Token); err != nil {
		return err
	}
	if old, exists := w.Claim(u.Ref().Application(), o.Task, o.TaskKey); exists {
		switch {
		case old.State == effect.ClaimDone && old.Token == o.Supersedes:
			// its outcome was lost: one that saw another claim done saw too little
		case old.State == effect.ClaimDone:
			return fmt.Errorf("%s: %v has done it: %w", o.summary(), old.Unit, model.ErrConflict)
		case old.State == effect.ClaimOpen && old.Unit == u.Name && old.Lease == o.Token && !w.head.Now.After(old.Deadline):
			return nil // asked twice: the receipt in the unit's intent is its right to run
		case old.State == effect.ClaimOpen && !w.head.Now.After(old.Deadline):
			return fmt.Errorf("%s: %v runs it until %v: %w", o.summary(), old.Unit, old.Deadline, model.ErrConflict)
		}
	}
	put(w, &w.claims, Claim{
		Model: o.Model, Application: u.Name.Application, Task: o.Task, Key: o.TaskKey, Unit: u.Name,
		Token: w.head.Index, Lease: o.Token, Deadline: w.head.Now.Add(o.Deadline), State: effect.ClaimOpen,
	})
	return nil
}

func (o CloseClaim) summary() string { return fmt.Sprintf("close task %s of %v", o.Task, o.Unit) }

func (o CloseClaim) apply(w *writer) error {
	u, err := w.speaker(o.Model, o.Unit)
	if err != nil {
		return err
	}
	c, ok := w.Claim(u.Ref().Application(), o.Task, o.TaskKey)
	switch {
	case !ok:
		return fmt.Errorf("%s: no claim of it: %w", o.summary(), model.ErrNotFound)
	case c.Token != o.Token || c.Unit != o.Unit:
		return fmt.Errorf("%s: token %d is not that of the claim, %d of %v: %w", o.summary(), o.Token, c.Token, c.Unit, model.ErrDenied)
	case c.State != effect.ClaimOpen:
		return fmt.Errorf("%s: it is %s: %w", o.summary(), c.State, model.ErrConflict)
	}
	c.State, c.Failed = effect.ClaimDone, o.Failed
	if o.Failed != "" {
		c.State = effect.ClaimFailed
	}
	put(w, &w.claims, c)
	if o.Failed != "" {
		return nil
	}
	owner := applicationOwner(c.Application)
	if o.Public != "" {
		if err := w.writeRecord(o.Model, owner, o.Task, o.Public); err != nil {
			return err
		}
	}
	if o.Secret != nil {
		s := *o.Secret
		s.Model, s.Name = o.Model, o.Task
		return w.writeSecret(s, owner)
	}
	return nil
}

func (o ResolveTask) summary() string {
	return fmt.Sprintf("resolve task %s of %s", o.Task, o.Application)
}

func (o ResolveTask) apply(w *writer) error {
	c, ok := w.Claim(ApplicationRef{o.Model, o.Application}, o.Task, o.TaskKey)
	if !ok {
		return fmt.Errorf("%s: no claim of it; see gantry task: %w", o.summary(), model.ErrNotFound)
	}
	if c.State == effect.ClaimDone {
		return fmt.Errorf("%s: it is done: %w", o.summary(), model.ErrConflict)
	}
	c.State, c.Failed = effect.ClaimDone, ""
	if !o.Done {
		c.State, c.Failed = effect.ClaimFailed, "resolved by "+w.command.Author
	}
	put(w, &w.claims, c)
	return nil
}
