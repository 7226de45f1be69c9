package sdktest

import (
	"cmp"
	"slices"

	"github.com/gantry-orchestrator/gantry/charms/sdk"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

func (u *Unit) holds(turn string) bool {
	return slices.ContainsFunc(u.grants, func(g effect.Grant) bool { return g.Turn == turn })
}

type asking struct {
	unit *Unit
	turn effect.Turn
}

// grant gives one turn, to the lowest rank that asks, within the limit.
func (m *Model) grant() bool {
	var asks []asking
	for _, u := range m.Units() {
		for _, s := range effect.Diff(u.journal, m.observed(u), u.want).Steps {
			if s.Turn != nil && !u.holds(s.Turn.Name) && m.holders(s.Turn.Name) < max(s.Turn.Limit, 1) {
				asks = append(asks, asking{unit: u, turn: *s.Turn})
			}
		}
	}
	if len(asks) == 0 {
		return false
	}
	first := slices.MinFunc(asks, func(a, b asking) int {
		return cmp.Or(cmp.Compare(a.turn.Rank, b.turn.Rank), model.CompareUnits(a.unit.name, b.unit.name))
	})
	m.token++
	first.unit.grants = append(first.unit.grants, effect.Grant{Turn: first.turn.Name, Token: m.token})
	if first.unit.holding == nil {
		first.unit.holding = map[string]effect.Turn{}
	}
	first.unit.holding[first.turn.Name] = first.turn
	return true
}

func (m *Model) holders(turn string) int {
	n := 0
	for _, u := range m.Units() {
		if u.holds(turn) {
			n++
		}
	}
	return n
}

// release takes back the turns of a unit that is settled, once Clear holds.
func (m *Model) release(u *Unit) {
	if !u.settled {
		return
	}
	facts := m.factsOf(u)
	u.grants = slices.DeleteFunc(slices.Clone(u.grants), func(g effect.Grant) bool {
		turn := u.holding[g.Turn]
		return turn.Clear == "" || facts[turn.Clear].Value == "true"
	})
}

// openOrder is an order that is open, with all its stages.
type openOrder struct {
	order  effect.Order
	stages []string
	at     int
}

func (o *openOrder) current() effect.Order {
	order := o.order
	order.Stage = o.stages[o.at]
	return order
}

// Open starts an order that charm.yaml declares; Settle takes it through its
// stages.
func (m *Model) Open(name string, params map[string]string) {
	m.t.Helper()
	declared, ok := m.meta.Order(name)
	if !ok {
		m.t.Fatalf("the charm declares no order %q", name)
	}
	m.token++
	m.order = &openOrder{order: effect.Order{ID: "order-" + name, Name: name, Params: params}, stages: declared.Stages}
}

// Stage is that of the open order, "" where none is open.
func (m *Model) Stage() string {
	if m.order == nil {
		return ""
	}
	return m.order.current().Stage
}

// advance moves an order on once every alive unit has reached its stage.
func (m *Model) advance() bool {
	if m.order == nil {
		return false
	}
	for _, u := range m.Units() {
		reached := u.want.Reached == m.Stage() && effect.Diff(u.journal, m.observed(u), u.want).Settled()
		if u.life == model.Alive && !reached {
			return false
		}
	}
	if m.order.at++; m.order.at == len(m.order.stages) {
		m.order = nil
	}
	return true
}

// drain tears down a dying unit that nobody holds.
func (m *Model) drain() bool {
	for _, u := range m.Units() {
		if u.life == model.Dying && !m.held(u) {
			m.teardown(u)
			return true
		}
	}
	return false
}

func (m *Model) held(u *Unit) bool {
	for _, other := range m.Units() {
		for _, h := range other.want.Holds {
			if h.Subject == u.name && m.life == model.Alive {
				return true
			}
		}
	}
	return false
}

// teardown undoes everything from the journal and makes the unit gone; another
// unit leads then.
func (m *Model) teardown(u *Unit) {
	m.t.Helper()
	for _, s := range effect.Diff(u.journal, m.observed(u), effect.Desired{}).Steps {
		if s.Undoes() {
			m.perform(u, s)
		}
	}
	u.life = model.Dead
	m.event(sdk.UnitRemoved{Unit: u.name})
	for _, other := range m.Units() {
		if m.leader == u.name.Number {
			m.Lead(other.name.Number)
		}
	}
}
