package sdktest

import (
	"fmt"
	"slices"

	"github.com/gantry-orchestrator/gantry/charms/interfaces"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// commit does what a controller does with what a unit publishes.
func (m *Model) commit(u *Unit, s effect.Step) {
	m.t.Helper()
	switch {
	case s.Effect.Bag != nil:
		m.publish(u, *s.Effect.Bag)
	case s.Effect.Record != nil:
		m.record(u, *s.Effect.Record)
	default:
		m.mint(u, s.Effect.Secret.Name, s.Effect.Secret.Scope, fieldsOf(*s.Effect.Secret))
	}
}

func (m *Model) publish(u *Unit, b effect.Bag) {
	m.t.Helper()
	i := slices.IndexFunc(m.relations, func(r effect.Relation) bool { return r.ID == b.Relation })
	r := m.relations[i]
	if err := interfaces.Validate(interfaces.Bag{
		Interface: string(r.Interface), Provider: r.Role == model.Provides, Application: b.Application, Data: b.Data,
	}); err != nil {
		m.t.Fatalf("%s publishes on %s: %v", u.name, r.Endpoint, err)
	}
	if b.Application {
		m.bags[b.Relation] = b.Data
	} else {
		u.bags[b.Relation] = b.Data
	}
}

func (m *Model) record(u *Unit, r effect.Record) {
	if r.Scope == effect.ApplicationScope {
		m.records = append(m.records, r)
	} else {
		u.records = append(u.records, r)
	}
}

func (m *Model) mint(u *Unit, name string, scope effect.Scope, fields []string) {
	s := effect.Secret{
		ID:   fmt.Sprintf("secret:%032x", len(m.secrets)+len(u.secrets)+64*(u.name.Number+1)),
		Name: name, Scope: scope, Owner: u.name.Application, Revision: 1, Fields: fields,
	}
	if scope == effect.ApplicationScope {
		m.secrets = append(m.secrets, s)
		return
	}
	s.Unit = u.name
	u.secrets = append(u.secrets, s)
}

func fieldsOf(s effect.SecretSpec) []string {
	var fields []string
	for name := range s.Fields {
		fields = append(fields, name)
	}
	slices.Sort(fields)
	return fields
}

// result commits what a task gave, and for an application's task its receipt.
func (m *Model) result(u *Unit, t effect.Task, output string) {
	if t.Scope == effect.ApplicationScope {
		m.receipts = append(m.receipts, effect.Receipt{Task: string(t.ID), Key: t.Key, Unit: u.name, Token: m.token, State: effect.ClaimDone})
	}
	switch t.Result {
	case effect.PublicResult:
		m.record(u, effect.Record{Name: string(t.ID), Scope: t.Scope, Value: output})
	case effect.SealedResult:
		m.mint(u, string(t.ID), t.Scope, []string{"result"})
	}
}
