package solver

import (
	"cmp"
	"crypto/sha256"
	"slices"

	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// IntentOf returns what the engine wants of a unit: a function of the state
// alone, so that every controller gives the same. ok is false where there is
// nothing to want: the unit does not exist, is dead, is on no machine yet, or
// its machine was acknowledged lost.
//
// A unit whose spec says Dying drains: it reconciles, and all is kept. One
// whose spec says Dead is torn down.
func IntentOf(s state.State, u state.UnitRef) (intent effect.Intent, ok bool) {
	return NewIntents(s).Of(u)
}

// Intents makes the intents of many units of one state. What several of them
// see is looked up once: among n peers each sees all others.
type Intents struct {
	state.State
	sides   map[end][]seenUnit
	digests map[effect.RemoteKey][sha256.Size]byte
}

// end is one end of a relation, as seen from the other or, of peers, from
// within.
type end struct {
	relation    state.RelationRef
	application model.ApplicationName
}

// seenUnit is a unit as others see it, and the newest index that went into that.
type seenUnit struct {
	effect.Remote
	newest uint64
}

// NewIntents has looked at nothing yet.
func NewIntents(s state.State) *Intents {
	return &Intents{State: s, sides: map[end][]seenUnit{}, digests: map[effect.RemoteKey][sha256.Size]byte{}}
}

// Of is IntentOf.
func (s *Intents) Of(u state.UnitRef) (intent effect.Intent, ok bool) {
	unit, ok := s.Unit(u)
	if !ok || unit.Life == model.Dead || unit.Machine == "" {
		return intent, false
	}
	m, ok := s.Machine(state.MachineRef{Model: u.Model, Machine: unit.Machine})
	if !ok || m.Fenced {
		return intent, false
	}
	a, ok := s.Application(u.Application())
	if !ok {
		return intent, false
	}
	w := &writing{Intents: s, unit: unit, application: a}
	intent.Spec = w.spec(m)
	intent.Generation = w.newest
	intent.Hash = intent.Spec.HashWith(s.digests)
	w.newest = 0
	intent.Live = w.live()
	return intent, true
}

// writing is an intent being made. Newest is the highest index of what went
// into the part that is being written.
type writing struct {
	*Intents
	unit        state.Unit
	application state.Application
	newest      uint64
}

func (w *writing) saw(stamp state.Stamp) { w.newest = max(w.newest, stamp.ModifyIndex) }

func (w *writing) spec(m state.Machine) effect.Spec {
	a := w.application
	w.saw(w.unit.Stamp)
	w.saw(a.Stamp)
	w.saw(m.Stamp)
	row, _ := w.Model(a.Model)
	c, _ := w.CharmOf(a)
	spec := effect.Spec{
		Model: a.Model, Unit: w.unit.Name, Life: w.unit.Life, ApplicationLife: a.Life,
		Charm: effect.Charm{Name: a.Charm, Revision: a.Hash}, Machine: m.Name, Address: m.Address, CIDR: row.CIDR,
		Principal: w.unit.Principal, Planned: a.Planned, Trust: a.Trust, Versions: a.Versions, Shared: c.Shared,
	}
	if w.unit.Teardown {
		spec.Life = model.Dead
	}
	if settings := c.Declared.Config.WithDefaults(a.Config); len(settings) > 0 {
		spec.Config = make(map[string]any, len(settings))
		for name, v := range settings {
			spec.Config[name] = v.Any()
		}
	}
	for _, r := range w.Relations(a.Ref()) {
		spec.Relations = append(spec.Relations, w.relation(r))
	}
	spec.Records = w.records()
	spec.Secrets = w.secrets()
	return spec
}

func (w *writing) relation(r state.Relation) effect.Relation {
	w.saw(r.Stamp)
	own, remote, _ := r.End(w.application.Name)
	seen := effect.Relation{
		ID: r.ID, Endpoint: own.Endpoint, Interface: r.Interface, Role: own.Role, Scope: r.Scope, Life: r.Life,
		Remote: remote.Application, Bag: w.bag(r, state.Owner{Application: remote.Application}),
	}
	others := w.others(w.unit, r)
	if len(others) > 1 {
		seen.Units = make([]effect.Remote, 0, len(others))
	}
	for _, v := range others {
		if v.Unit != w.unit.Name {
			w.newest = max(w.newest, v.newest)
			seen.Units = append(seen.Units, v.Remote)
		}
	}
	return seen
}

// others are the units of the other end of a unit's relation, or all peers.
func (s *Intents) others(u state.Unit, r state.Relation) []seenUnit {
	_, remote, ok := r.End(u.Name.Application)
	if !ok {
		return nil
	}
	if r.Scope == model.ContainerScope { // each unit sees others
		return s.seen(r, counterparts(s.State, u, r, remote.Application))
	}
	key := end{r.Ref(), remote.Application}
	known, ok := s.sides[key]
	if !ok {
		known = s.seen(r, counterparts(s.State, u, r, remote.Application))
		s.sides[key] = known
	}
	return known
}

func (s *Intents) seen(r state.Relation, units []state.Unit) []seenUnit {
	var all []seenUnit
	for _, v := range units {
		b, _ := s.Bag(r.Ref(), state.Owner{Application: v.Name.Application, Unit: v.Name})
		other := seenUnit{newest: max(v.ModifyIndex, b.ModifyIndex), Remote: effect.Remote{
			Unit: v.Name, Life: v.Life, Gone: v.Life == model.Dead, Bag: b.Data,
		}}
		if m, ok := s.Machine(state.MachineRef{Model: v.Model, Machine: v.Machine}); ok && !other.Gone {
			other.newest = max(other.newest, m.ModifyIndex)
			other.Address = m.Address
		}
		all = append(all, other)
	}
	return all
}

func (w *writing) bag(r state.Relation, o state.Owner) map[string]string {
	b, _ := w.Bag(r.Ref(), o)
	w.saw(b.Stamp)
	return b.Data
}

// owners are the unit's application and the unit itself.
func (w *writing) owners() []state.Owner {
	return []state.Owner{
		{Application: w.application.Name},
		{Application: w.application.Name, Unit: w.unit.Name},
	}
}

func (w *writing) records() []effect.Record {
	var all []effect.Record
	for _, o := range w.owners() {
		for _, r := range w.Records(w.application.Model, o) {
			w.saw(r.Stamp)
			all = append(all, effect.Record{Name: r.Name, Scope: o.Scope(), Value: r.Value})
		}
	}
	return all
}

// secrets returns the handles of the unit's and its application's own, and of
// those that the other ends of its relations grant.
func (w *writing) secrets() []effect.Secret {
	var all []effect.Secret
	seen := map[string]bool{}
	add := func(s state.Secret) {
		if !seen[s.ID] {
			seen[s.ID] = true
			w.saw(s.Stamp)
			all = append(all, effect.Secret{
				ID: s.ID, Name: s.Name, Scope: s.Owner.Scope(), Owner: s.Owner.Application, Unit: s.Owner.Unit,
				Revision: s.Revision, Fields: s.Fields,
			})
		}
	}
	for _, o := range w.owners() {
		for _, s := range w.Secrets(w.application.Model, o) {
			add(s)
		}
	}
	for _, r := range w.Relations(w.application.Ref()) {
		for _, s := range w.Granted(r.Ref()) {
			if s.Owner.Application != w.application.Name || r.Peer() {
				add(s)
			}
		}
	}
	slices.SortFunc(all, func(a, b effect.Secret) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
	})
	return all
}

func (w *writing) live() effect.Live {
	a := w.application
	w.newest = w.unit.CreateIndex
	w.saw(a.Stamp)
	var live effect.Live
	if l, ok := w.Lease(a.Ref()); ok {
		w.saw(l.Stamp)
		// One that leaves hands over, unless nobody is left to.
		if live.Leader = l.Holder == w.unit.Name && (w.unit.Life == model.Alive || a.Planned == 0); live.Leader {
			live.Token = l.Token
		}
	}
	for _, t := range w.TurnsOf(w.unit.Ref()) {
		w.saw(t.Stamp)
		if t.Held {
			live.Grants = append(live.Grants, effect.Grant{Turn: t.Ask.Name, Token: t.Token})
		}
	}
	live.Order = w.order(&live.Warrants)
	for _, c := range w.Claims(a.Ref()) {
		w.saw(c.Stamp)
		live.Receipts = append(live.Receipts, effect.Receipt{Task: c.Task, Key: c.Key, Unit: c.Unit, Token: c.Token, State: c.State})
	}
	for _, r := range w.Relations(a.Ref()) {
		owners := w.owners()
		own := effect.OwnBag{Relation: r.ID, Application: w.bag(r, owners[0]), Unit: w.bag(r, owners[1])}
		if len(own.Application)+len(own.Unit) > 0 {
			live.Own = append(live.Own, own)
		}
	}
	for _, x := range w.Warrants(w.unit.Ref()) {
		w.saw(x.Stamp)
		live.Warrants = append(live.Warrants, x.Permit)
	}
	live.Serial = w.newest
	return live
}

// order returns the open order, and adds what it permits to destroy.
func (w *writing) order(warrants *[]effect.Warrant) (open *effect.Order) {
	for _, o := range w.Orders(w.application.Ref()) {
		w.saw(o.Stamp)
		if !o.Closed {
			open = &effect.Order{ID: o.ID, Name: o.Name, Stage: o.StageName(), Params: o.Params}
			*warrants = append(*warrants, o.Warrants...)
		}
	}
	return open
}
