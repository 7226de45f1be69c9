package postgresql

import (
	"fmt"
	"strings"
	"time"

	"github.com/gantry-orchestrator/gantry/charms/sdk"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// databases serves the relations of the endpoint database: a role and a
// database for each, made once by the leader and dropped when the relation
// goes. The database itself stays: its data is not the relation's.
func (m *member) databases() {
	for _, r := range sdk.Relations(m.in, "database") {
		name := r.Bag["database"]
		switch published := sdk.Published(m.in, r.ID).Application; {
		case !m.in.Live.Leader:
		case r.Life != model.Alive && name != "":
			m.dropUser(r, name)
		case name != "":
			m.database(r, name)
		case r.Life == model.Alive && len(published) > 0:
			m.b.PublishApplication(r.ID, published) // what was asked for before is still granted
		}
	}
}

// userOf is the role that a relation's client gets.
func userOf(r effect.Relation) string { return fmt.Sprintf("relation-%d", r.ID) }

func (m *member) database(r effect.Relation, name string) {
	user := userOf(r)
	m.b.Secret(effect.SecretSpec{
		Name: user, Scope: effect.ApplicationScope,
		Fields: map[string]effect.SecretField{"username": {Content: sdk.Text(user)}, "password": {Random: 32}},
		Grants: []model.RelationID{r.ID},
	})
	login, made := m.credential(user)
	primary, found := m.primary()
	if !made || !found || m.restoring() != nil {
		// What was published stays true for clients that connect again.
		if published := sdk.Published(m.in, r.ID).Application; len(published) > 0 {
			m.b.PublishApplication(r.ID, published)
		}
		return
	}
	args := m.args("address", primary, "database", name, "user", user, "roles", r.Bag["extra-user-roles"])
	args["password"] = sdk.Text(login.segment(effect.Raw))
	wanted := strings.Join(extensions(m.in), ",")
	args["extensions"] = sdk.Text(wanted)
	done := m.b.Task(effect.Task{
		ID: effect.ID("task/database-" + fmt.Sprint(r.ID)), Key: sdk.Digest(fmt.Sprint(m.epoch.Number, "/", name, "/", r.Bag["extra-user-roles"], "/", wanted)),
		Scope:      effect.ApplicationScope,
		Run:        effect.Exec{Call: callDatabase, Args: args, User: m.user()},
		After:      []effect.ID{serviceID},
		Idempotent: true,
		Timeout:    time.Minute,
	})
	bag := map[string]string{
		"database":            name,
		"endpoints":           sdk.Join(primary, sqlPort),
		"read-only-endpoints": strings.Join(m.replicas(primary), ","),
		"secret-user":         login.secret.ID,
		"version":             m.versionPublished(r.ID),
	}
	if id := m.trusted(r); id != "" {
		bag["secret-tls"] = id
	}
	m.b.PublishApplication(r.ID, bag, done)
}

// versionPublished is the server's version, or what was published of it while
// the server does not answer.
func (m *member) versionPublished(id model.RelationID) string {
	if m.known && m.observed.ServerVersion > 0 {
		return versionText(m.observed.ServerVersion)
	}
	return sdk.Published(m.in, id).Application["version"]
}

func (m *member) dropUser(r effect.Relation, name string) {
	if sdk.EndingWhole(m.in) {
		return // it goes with the cluster; a drop that the servers' end cuts short would be left behind
	}
	primary, found := m.primary()
	if !found {
		m.b.Hold(m.in.Spec.Unit, "the role %s is dropped once there is a primary", userOf(r))
		return
	}
	m.b.Task(effect.Task{
		ID: effect.ID("task/drop-" + fmt.Sprint(r.ID)), Key: "dropped", Scope: effect.ApplicationScope,
		Run:        effect.Exec{Call: callDropUser, Args: m.args("address", primary, "database", name, "user", userOf(r)), User: m.user()},
		Idempotent: true,
		Timeout:    time.Minute,
	})
}

// replicas are the members that take reads only.
func (m *member) replicas(primary string) []string {
	var hosts []string
	if m.running() && m.in.Spec.Address != primary {
		hosts = append(hosts, sdk.HostPort(m.in, sqlPort))
	}
	for _, p := range m.members() {
		if p.Address != primary {
			hosts = append(hosts, sdk.Join(p.Address, sqlPort))
		}
	}
	return hosts
}
