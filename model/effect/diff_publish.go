package effect

import (
	"maps"
	"slices"

	"github.com/gantry-orchestrator/gantry/model"
)

// bags are the steps that bring what is published to what is wanted. A
// Partial answer, a dying relation and a dying unit add and change keys but
// drop none.
func (d *differ) bags() {
	wanted := map[ID]bool{}
	for i := range d.want.Bags {
		b := d.want.Bags[i]
		wanted[b.id()] = true
		d.bag(b)
	}
	if d.want.Partial != "" {
		return
	}
	for _, own := range d.seen.Live.Own {
		for _, b := range []Bag{{Relation: own.Relation}, {Relation: own.Relation, Application: true}} {
			if !wanted[b.id()] {
				d.bag(b)
			}
		}
	}
}

func (d *differ) bag(b Bag) {
	life, known := d.relationLife(b.Relation)
	if !known || b.Application && !d.seen.Live.Leader {
		return
	}
	have := committedBag(d.seen.Live.Own, b)
	if d.want.Partial != "" || life != model.Alive || d.seen.Spec.Life != model.Alive {
		kept := maps.Clone(have)
		maps.Copy(kept, b.Data)
		b.Data = kept
	}
	if maps.Equal(have, b.Data) {
		return
	}
	e := Effect{Bag: &b}
	if d.held(e) {
		return
	}
	d.add(Step{Kind: Publish, ID: e.ID(), Effect: e, Why: "its keys differ"})
}

func (d *differ) relationLife(id model.RelationID) (life model.Life, known bool) {
	for _, r := range d.seen.Spec.Relations {
		if r.ID == id {
			return r.Life, true
		}
	}
	return model.Dead, false
}

func committedBag(own []OwnBag, b Bag) map[string]string {
	for _, o := range own {
		if o.Relation == b.Relation && b.Application {
			return orEmpty(o.Application)
		} else if o.Relation == b.Relation {
			return orEmpty(o.Unit)
		}
	}
	return map[string]string{}
}

func orEmpty(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}

// published is own once a bag is committed.
func published(own []OwnBag, b Bag) []OwnBag {
	next := slices.Clone(own)
	i := slices.IndexFunc(next, func(o OwnBag) bool { return o.Relation == b.Relation })
	if i < 0 {
		i = len(next)
		next = append(next, OwnBag{Relation: b.Relation})
	}
	if b.Application {
		next[i].Application = b.Data
	} else {
		next[i].Unit = b.Data
	}
	return next
}

// records are the steps that propose what is not committed yet; nothing
// changes what is.
func (d *differ) records() {
	for i := range d.want.Records {
		r := d.want.Records[i]
		committed := slices.ContainsFunc(d.seen.Spec.Records, func(c Record) bool { return c.Scope == r.Scope && c.Name == r.Name })
		if committed || r.Scope == ApplicationScope && !d.seen.Live.Leader {
			continue
		}
		e := Effect{Record: &r}
		d.add(Step{Kind: Propose, ID: e.ID(), Effect: e, Why: "not committed yet"})
	}
}

// secrets are the steps that make what is not made yet.
func (d *differ) secrets() {
	spec := d.seen.Spec
	for i := range d.want.Secrets {
		s := d.want.Secrets[i]
		made := slices.ContainsFunc(spec.Secrets, func(c Secret) bool {
			return c.Name == s.Name && c.Scope == s.Scope && c.Owner == spec.Unit.Application && (c.Unit.IsZero() || c.Unit == spec.Unit)
		})
		if made || s.Scope == ApplicationScope && !d.seen.Live.Leader {
			continue
		}
		e := Effect{Secret: &s}
		d.add(Step{Kind: Mint, ID: e.ID(), Effect: e, Why: "not made yet"})
	}
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
