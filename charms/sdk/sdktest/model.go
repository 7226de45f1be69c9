package sdktest

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/gantry-orchestrator/gantry/charms/sdk"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/charm"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// Model is one application in memory. Nothing moves but by its methods.
type Model struct {
	t       T
	builtin sdk.Builtin
	meta    *charm.Charm
	twin    sdk.Twin
	world   sdk.World
	facts   map[effect.ProbeID]string
	now     time.Time

	config    map[string]any
	life      model.Life
	units     []*Unit
	relations []effect.Relation
	granted   []effect.Secret // of remote applications
	bags      map[model.RelationID]map[string]string
	records   []effect.Record
	secrets   []effect.Secret
	receipts  []effect.Receipt
	leader    int
	token     uint64
	order     *openOrder
	warrants  []effect.Warrant

	observe func(moment) // for Check; may be nil
	stale   func(u *Unit, facts map[effect.ProbeID]effect.Fact) map[effect.ProbeID]effect.Fact
	crash   func() bool // whether the agent dies right after a step, before it is journaled
}

// begin is when a model's time begins.
var begin = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// New makes an application of a charm, its units not yet deployed.
func New(t T, b sdk.Builtin, s Scenario) *Model {
	t.Helper()
	meta, err := charm.Read(string(b.Name), b.Files)
	if err != nil {
		t.Fatalf("read the charm's metadata: %v", err)
	}
	app := model.ApplicationName(b.Name)
	m := &Model{
		t: t, builtin: b, meta: meta, twin: twinOf(b.Charm), facts: s.Facts, now: begin, token: 1,
		config: withDefaults(meta, s.Config), relations: relations(t, meta, app, s.Remotes),
		bags: map[model.RelationID]map[string]string{},
	}
	m.world = m.twin.Begin(s.Seed)
	for _, remote := range s.Remotes {
		for _, secret := range remote.Secrets {
			secret.Owner = remote.Application
			m.granted = append(m.granted, secret)
		}
	}
	for range max(s.Units, 1) {
		m.AddUnit()
	}
	return m
}

// AddUnit adds one unit more.
func (m *Model) AddUnit() *Unit {
	n := 0
	if len(m.units) > 0 {
		n = m.units[len(m.units)-1].name.Number + 1
	}
	u := &Unit{name: model.UnitName{Application: model.ApplicationName(m.builtin.Name), Number: n}, bags: map[model.RelationID]map[string]string{}}
	u.seen.Volumes = map[effect.ID]string{}
	m.units = append(m.units, u)
	return u
}

// RemoveUnit has a unit leave; Settle carries it out.
func (m *Model) RemoveUnit(number int) { m.Unit(number).life = model.Dying }

// RemoveApplication has every unit leave; Settle carries it out.
func (m *Model) RemoveApplication() {
	m.life = model.Dying
	for _, u := range m.units {
		u.life = max(u.life, model.Dying)
	}
}

// Configure changes options.
func (m *Model) Configure(config map[string]any) {
	m.config = maps.Clone(m.config)
	maps.Copy(m.config, config)
}

// Relate changes what a remote application has published: its bag, where unit
// is negative, or one unit's.
func (m *Model) Relate(endpoint model.EndpointName, unit int, bag map[string]string) {
	m.t.Helper()
	for i, r := range m.relations {
		if r.Endpoint != endpoint {
			continue
		}
		if unit < 0 {
			m.relations[i].Bag = bag
			return
		}
		m.relations[i].Units[unit].Bag = bag
		return
	}
	m.t.Fatalf("no relation of endpoint %q", endpoint)
}

// Part ends the relation of an endpoint: all units settle on its end, and then
// it is gone.
func (m *Model) Part(endpoint model.EndpointName) {
	m.t.Helper()
	i := slices.IndexFunc(m.relations, func(r effect.Relation) bool { return r.Endpoint == endpoint })
	if i < 0 {
		m.t.Fatalf("no relation of endpoint %q", endpoint)
	}
	m.relations[i].Life = model.Dying
	m.Settle()
	m.relations = slices.Delete(m.relations, i, i+1)
}

// Lead makes a unit the leader.
func (m *Model) Lead(number int) {
	m.token++
	m.leader = number
}

// Warrant lets a volume's data go.
func (m *Model) Warrant(w effect.Warrant) { m.warrants = append(m.warrants, w) }

// Unit is the unit of a number; it must be there.
func (m *Model) Unit(number int) *Unit {
	m.t.Helper()
	i := slices.IndexFunc(m.units, func(u *Unit) bool { return u.name.Number == number })
	if i < 0 {
		m.t.Fatalf("there is no unit %d", number)
	}
	return m.units[i]
}

// Units are the units that are not gone, by number.
func (m *Model) Units() []*Unit {
	return slices.DeleteFunc(slices.Clone(m.units), func(u *Unit) bool { return u.life == model.Dead })
}

// Record is a committed record's value, "" where there is none.
func (m *Model) Record(scope effect.Scope, name string) string {
	for _, r := range m.records {
		if r.Scope == scope && r.Name == name {
			return r.Value
		}
	}
	return ""
}

// ApplicationBag is what the application has published in a relation.
func (m *Model) ApplicationBag(endpoint model.EndpointName) map[string]string {
	for _, r := range m.relations {
		if r.Endpoint == endpoint {
			return m.bags[r.ID]
		}
	}
	return nil
}

// event moves the twin's world on; it must stay safe.
func (m *Model) event(e sdk.Event) sdk.Outcome {
	m.t.Helper()
	var out sdk.Outcome
	m.world, out = m.twin.Step(m.world, e)
	if err := m.twin.Safe(m.world); err != nil {
		m.t.Fatalf("not safe after %T%+v: %v", e, e, err)
	}
	return out
}

func address(n int) string { return fmt.Sprintf("10.0.0.%d", n+1) }
