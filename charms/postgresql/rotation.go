package postgresql

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/gantry-orchestrator/gantry/charms/sdk"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

const setPasswordOrder = "set-password"

// The stages of a change of password, as charm.yaml declares them.
const (
	stageChange = "change" // it is made, and the server takes it
	stageUse    = "use"    // all who log in with it do
)

// passwordRecord begins the records of changes: then the user, a slash and the
// number of the change. Their values are the orders.
const passwordRecord = "password/"

// rotated are the system's roles whose passwords can be changed while the
// cluster runs. Patroni's own and the consensus's would take all members down.
var rotated = []string{"operator", "replication", "rewind", monitoringRole}

// credential is a secret's field that holds a password.
type credential struct {
	secret effect.Secret
	field  string
}

func (c credential) segment(e effect.Encoding) effect.Segment {
	return sdk.Encoded(c.secret, c.field, e)
}

// change is one change of a user's password.
type change struct {
	user   string
	number int
	order  string
}

// secretName is the secret that a change makes.
func (c change) secretName() string { return fmt.Sprintf("password-%s-%d", c.user, c.number) }

// changes are the newest committed change of each user, by user; with the
// number 0 for none.
func (m *member) changes() map[string]change {
	newest := map[string]change{}
	for _, r := range m.in.Spec.Records {
		name, ok := strings.CutPrefix(r.Name, passwordRecord)
		i := strings.LastIndex(name, "/")
		if !ok || i < 0 || r.Scope != effect.ApplicationScope {
			continue
		}
		if c := (change{user: name[:i], number: number(name[i+1:]), order: r.Value}); c.number > newest[c.user].number {
			newest[c.user] = c
		}
	}
	return newest
}

// credential is the password that a user logs in with; while it is being
// changed, the one before.
func (m *member) credential(user string) (credential, bool) {
	c := m.changes()[user]
	if o := m.in.Live.Order; o != nil && o.ID == c.order && o.Stage == stageChange {
		c.number--
	}
	if c.number > 0 {
		secret, made := sdk.SecretNamed(m.in, c.secretName())
		return credential{secret, "password"}, made
	}
	return m.original(user)
}

// passwordOf is the present password of a role that was made with the cluster.
func (m *member) passwordOf(role string, e effect.Encoding) effect.Segment {
	c, made := m.credential(role)
	if !made {
		c, _ = m.original(role)
	}
	return c.segment(e)
}

// original is the password that a user was made with.
func (m *member) original(user string) (credential, bool) {
	if slices.Contains(passwords, user) {
		return credential{m.secret, user}, true
	}
	secret, made := sdk.SecretNamed(m.in, user)
	return credential{secret, "password"}, made
}

// changing is the open order that changes a password, or nil.
func (m *member) changing() *effect.Order {
	if o := m.in.Live.Order; o != nil && o.Name == setPasswordOrder {
		return o
	}
	return nil
}

// changed has the primary's server hold the passwords that were ever changed:
// also those that a restore brought back as they were.
func (m *member) changed() {
	all := m.changes()
	if len(all) == 0 || !m.isPrimary() {
		return
	}
	args, key := map[string]effect.Content{"sockets": sdk.Text(m.socketDir())}, fmt.Sprint(m.epoch.Number)
	for _, user := range slices.Sorted(maps.Keys(all)) {
		c := all[user]
		secret, made := sdk.SecretNamed(m.in, c.secretName())
		if !made {
			return // its order has only begun
		}
		args["user "+user] = sdk.Text(sdk.Secret(secret, "password"))
		key += "/" + secret.ID
	}
	m.b.Task(effect.Task{
		ID: "task/passwords", Key: sdk.Digest(key),
		Run:   effect.Exec{Call: callPasswords, Args: args, User: m.user()},
		After: []effect.ID{serviceID}, Idempotent: true, Timeout: time.Minute,
	})
}

// change carries out the order's stage, and says how that stands; the status is
// the member's own once it has.
func (m *member) change(o *effect.Order) model.Status {
	user := o.Params["username"]
	grants, known := m.grantsOf(user)
	if !known {
		return sdk.Blocked("there is no user %q whose password can be changed: cancel the order", user)
	}
	next := m.changes()[user]
	begun := next.order == o.ID
	if !begun {
		next = change{user: user, number: next.number + 1, order: o.ID}
	}
	if m.in.Live.Leader && !begun {
		m.b.Record(effect.ApplicationScope, fmt.Sprint(passwordRecord, user, "/", next.number), o.ID)
	}
	if m.in.Live.Leader && begun {
		m.b.Secret(effect.SecretSpec{
			Name: next.secretName(), Scope: effect.ApplicationScope, Grants: grants,
			Fields: map[string]effect.SecretField{"username": {Content: sdk.Text(user)}, "password": {Random: 32}},
		})
	}
	_, made := sdk.SecretNamed(m.in, next.secretName())
	_, primary := m.primary()
	if !begun || !made || !primary {
		return sdk.Maintenance("changing the password of %s", user)
	}
	m.b.Reached(o.Stage)
	return m.status()
}

// grantsOf says whether a user's password can be changed, and through which
// relations it is read.
func (m *member) grantsOf(user string) (grants []model.RelationID, known bool) {
	if slices.Contains(rotated, user) {
		_, made := m.original(user)
		return nil, made
	}
	for _, r := range sdk.Relations(m.in, "database") {
		if userOf(r) == user && r.Life == model.Alive {
			_, made := m.original(user)
			return []model.RelationID{r.ID}, made
		}
	}
	return nil, false
}
