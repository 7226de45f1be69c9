package etcd

import (
	"cmp"
	"fmt"
	"math/big"
	"time"

	"github.com/gantry-orchestrator/gantry/charms/interfaces"
	"github.com/gantry-orchestrator/gantry/charms/sdk"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// authID is the task that has etcd ask for passwords.
const authID = effect.ID("task/auth")

// authenticate has the cluster ask everybody for a password: without it the
// users of relations could reach each other's keys.
func (m *member) authenticate() {
	if !m.votes() {
		return
	}
	m.b.Task(effect.Task{
		ID: authID, Key: "enabled", Scope: effect.ApplicationScope,
		Run:   effect.Exec{Call: callAuth, Args: m.args(m.in.Spec.Address), User: m.user()},
		After: []effect.ID{serviceID}, Idempotent: true, Timeout: time.Minute,
	})
}

// clients serves the relations of the endpoint etcd-client: a user for each,
// who reaches the keys of its prefix alone, dropped when the relation goes.
// The keys stay: they are not the relation's.
func (m *member) clients() {
	if !m.in.Live.Leader {
		return
	}
	for _, r := range sdk.Relations(m.in, "etcd-client") {
		request, asked := interfaces.ParseEtcdRequest(r.Bag)
		switch published := sdk.Published(m.in, r.ID).Application; {
		case r.Life != model.Alive:
			m.drop(r)
		case asked:
			m.client(r, request.Prefix)
		case len(published) > 0:
			m.b.PublishApplication(r.ID, published) // what was asked for before is still granted
		}
	}
}

// userOf is the user, and the role, of a relation's client.
func userOf(r effect.Relation) string { return fmt.Sprintf("relation-%d", r.ID) }

func (m *member) client(r effect.Relation, prefix string) {
	user := userOf(r)
	m.b.Secret(effect.SecretSpec{
		Name: user, Scope: effect.ApplicationScope, Grants: []model.RelationID{r.ID},
		Fields: map[string]effect.SecretField{"username": {Content: sdk.Text(user)}, "password": {Random: 32}},
	})
	login, made := sdk.SecretNamed(m.in, user)
	trusted, certified := m.trusted(r)
	published := sdk.Published(m.in, r.ID).Application
	if !made || !certified || m.lost || !m.votes() {
		if len(published) > 0 {
			m.b.PublishApplication(r.ID, published) // it stays true for clients that connect again
		}
		return
	}
	args := m.args(m.in.Spec.Address, "user", user, "prefix", prefix)
	args["user-password"] = sdk.Text(sdk.Secret(login, "password"))
	done := m.b.Task(effect.Task{
		ID: effect.ID("task/client-" + fmt.Sprint(r.ID)), Key: sdk.Digest(prefix), Scope: effect.ApplicationScope,
		Run:   effect.Exec{Call: callClient, Args: args, User: m.user()},
		After: []effect.ID{serviceID, authID}, Idempotent: true, Timeout: time.Minute,
	})
	m.b.PublishApplication(r.ID, interfaces.EtcdKeys{
		Endpoints: m.endpoints(), Version: cmp.Or(m.observed.Version, published["version"]), User: login.ID, TLS: trusted,
	}.Bag(), done)
}

// trusted is the secret with the authorities that a client is to trust, ""
// without TLS.
func (m *member) trusted(r effect.Relation) (id string, made bool) {
	if !m.founding.TLS {
		return "", true
	}
	return m.tls.Offer(m.in, m.b, r)
}

func (m *member) drop(r effect.Relation) {
	if m.lost || !m.votes() {
		m.b.Hold(m.in.Spec.Unit, "the user %s is dropped once this unit's member votes", userOf(r))
		return
	}
	m.b.Task(effect.Task{
		ID: effect.ID("task/drop-" + fmt.Sprint(r.ID)), Key: "dropped", Scope: effect.ApplicationScope,
		Run:        effect.Exec{Call: callDrop, Args: m.args(m.in.Spec.Address, "user", userOf(r)), User: m.user()},
		Idempotent: true, Timeout: time.Minute,
	})
}

// hexadecimal writes a member's ID, which etcd's JSON has in decimal, as its
// tools do.
func hexadecimal(decimal string) string {
	n, ok := new(big.Int).SetString(decimal, 10)
	if !ok {
		return decimal
	}
	return n.Text(16)
}
