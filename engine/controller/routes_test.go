package controller

import (
	"crypto/tls"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/gantry-orchestrator/gantry/engine/client"
	"github.com/gantry-orchestrator/gantry/engine/controller/pki"
	"github.com/gantry-orchestrator/gantry/engine/wire"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

var update = flag.Bool("update", false, "rewrite docs/routes.md")

// admitted says which roles each permission lets in; everything else is
// refused.
var admitted = map[wire.Access][]string{
	wire.Login:           {"login", "token", "read", "write", "admin", "adder", "superuser"},
	wire.ModelRead:       {"token", "read", "write", "admin", "superuser"},
	wire.ModelWrite:      {"write", "admin", "superuser"},
	wire.ModelAdmin:      {"admin", "superuser"},
	wire.AddModels:       {"adder", "superuser"},
	wire.ControllerAdmin: {"superuser"},
	wire.Agent:           {"agent"},
	wire.HostAgent:       {"host"},
	wire.Join:            {"join"},
	wire.Peer:            {"controller"},
}

// strangers get no further than the handshake.
var strangers = []string{"no certificate", "another authority", "expired"}

// ends are routes that end the caller's own rights, or the controller: they
// are called last, or elsewhere.
var ends = []string{"/gantry.v1.Tokens/Logout", "/gantry.v1.Controller/Shutdown", "/gantry.v1.Peers/Announce"}

func served(t *testing.T) []wire.Method {
	t.Helper()
	s := grpc.NewServer()
	wire.Register(s, wire.Handlers{})
	methods := must(wire.Methods(s.GetServiceInfo()))(t)
	if len(methods) < 60 {
		t.Fatalf("only %d methods are served", len(methods))
	}
	return slices.SortedFunc(maps.Values(methods), func(a, b wire.Method) int { return strings.Compare(a.Name, b.Name) })
}

func TestEveryRouteAdmitsExactlyItsRoles(t *testing.T) {
	w := beginAlone(t, t.TempDir())
	roles := w.roles()
	for _, name := range slices.Sorted(maps.Keys(roles)) { // the superuser last: it may destroy for good
		conn := raw(t, w.ready.Addresses[0], roles[name])
		for _, m := range served(t) {
			want := slices.Contains(admitted[m.Access], name)
			if want && slices.Contains(ends, m.Name) {
				continue
			}
			if err := call(conn, m, want); refusedAtGate(err) == want {
				t.Errorf("%s, open to %s, told %s: %v", m.Name, m.Access, name, err)
			}
		}
	}
	for _, name := range strangers {
		conn := rawTLS(t, w.ready.Addresses[0], w.stranger(name))
		for _, m := range served(t) {
			if err := call(conn, m, false); status.Code(err) != codes.Unavailable || refusedAtGate(err) {
				t.Errorf("%s answered %s: %v", m.Name, name, err)
			}
		}
	}
}

// stranger is the TLS of one who is not let in.
func (w *world) stranger(name string) *tls.Config {
	ours := must(pki.OpenAuthority(filepath.Join(w.dir, "pki"), time.Now()))(w.t)
	config := &tls.Config{RootCAs: ours.Pool(), ServerName: client.ServerName, MinVersion: tls.VersionTLS13}
	from, life := ours, -time.Minute
	switch name {
	case "no certificate":
		return config
	case "another authority":
		from, life = must(pki.OpenAuthority(w.t.TempDir(), time.Now()))(w.t), time.Hour
	}
	key, certificate, _, err := from.Issue(pki.User, "admin", time.Now(), life)
	if err != nil {
		w.t.Fatal(err)
	}
	config.Certificates = []tls.Certificate{must(tls.X509KeyPair(certificate, key))(w.t)}
	return config
}

// roles makes one identity of each kind, and some that are good for nothing.
func (w *world) roles() map[string]client.Context {
	w.t.Helper()
	for _, m := range []model.ModelName{"m", "spare"} {
		must(w.admin.AddModel(w.ctx, operator.AddModel{Name: m}))(w.t)
	}
	admin := must(client.Load(w.ready.Admin))(w.t)
	roles := map[string]client.Context{"superuser": admin, "host": must(client.Load(w.ready.Host))(w.t)}
	for name, access := range map[string]string{"login": "none", "read": "read", "write": "write", "admin": "admin", "disabled": "admin", "adder": "none"} {
		roles[name] = w.user(operator.AddUser{Name: model.UserName("u-" + name), AddModels: name == "adder"}, access)
	}
	yes := true
	must(w.admin.ChangeUser(w.ctx, operator.ChangeUser{Name: "u-disabled", Disabled: &yes}))(w.t)
	roles["token"] = w.pipeline(model.ReadAccess)
	roles["revoked token"] = w.pipeline(model.AdminAccess)
	for _, token := range must(w.admin.ListTokens(w.ctx))(w.t) {
		if token.Access == model.AdminAccess {
			must(w.admin.RevokeToken(w.ctx, token.ID, operator.Change{}))(w.t)
		}
	}
	roles["agent"] = must(client.Join(w.ctx, w.token()))(w.t)
	token := must(wire.ParseToken(w.token()))(w.t)
	roles["join"] = client.Context{Addresses: token.Addresses, CA: token.CA, Certificate: token.Certificate, Key: token.Key}
	ours := must(pki.OpenAuthority(filepath.Join(w.dir, "pki"), time.Now()))(w.t)
	// Of the right authority; all but the first are by name one of ours, but
	// unknown to state.
	for role, kind := range map[string]pki.Kind{"controller": pki.Controller, "forged user": pki.User, "forged token": pki.Token, "forged agent": pki.Agent, "forged host": pki.Host, "forged controller": pki.Controller} {
		name := "admin"
		if role == "controller" {
			name = must(ownID(w.dir))(w.t)
		}
		key, certificate, _, err := ours.Issue(kind, name, time.Now(), 0)
		if err != nil {
			w.t.Fatal(err)
		}
		roles[role] = client.Context{Addresses: w.ready.Addresses, CA: ours.PEM(), Certificate: certificate, Key: key}
	}
	return roles
}

// user makes a user with access to both models, logged in.
func (w *world) user(r operator.AddUser, access string) client.Context {
	w.t.Helper()
	c := must(client.Join(w.ctx, must(w.admin.AddUser(w.ctx, r))(w.t).Token))(w.t)
	for _, m := range []model.ModelName{"m", "spare"} {
		must(w.admin.Grant(w.ctx, operator.Grant{Model: m, User: r.Name, Access: access}))(w.t)
	}
	return c
}

// pipeline is a token of the administrator for model m.
func (w *world) pipeline(level model.AccessLevel) client.Context {
	w.t.Helper()
	key, csr, err := client.NewKey()
	if err != nil {
		w.t.Fatal(err)
	}
	made := must(w.admin.CreateToken(w.ctx, operator.CreateToken{Model: "m", Access: level, Life: time.Hour, CSR: csr, Label: "ci"}))(w.t)
	return client.Context{Addresses: w.ready.Addresses, CA: made.CA, Certificate: made.Certificate, Key: key}
}

// TestTheRoutesAreReviewed keeps docs/routes.md true: a new route, or another
// permission of one, shows in review.
func TestTheRoutesAreReviewed(t *testing.T) {
	var b strings.Builder
	b.WriteString(`# Routes and who is let in

Written by ` + "`go test ./engine/controller -run Reviewed -update`" + ` from the service descriptors; a test compares it, and another
calls every route as every role over real TLS. Callers without a certificate, with one of another authority or with an
expired one are refused in the handshake; forged, revoked and disabled ones by every route. A method is admitted by role;
what an agent may do is then bounded by its own machine, its units and their relations.

| route | permission | open to |
|---|---|---|
`)
	for _, m := range served(t) {
		name := strings.TrimPrefix(m.Name, "/gantry.v1.")
		if m.ClientStreaming || m.ServerStreaming {
			name += " (stream)"
		}
		roles, ok := admitted[m.Access]
		if !ok {
			t.Errorf("%s: nobody says whom %q lets in", m.Name, m.Access)
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", name, m.Access, strings.Join(roles, ", "))
	}
	const path = "../../docs/routes.md"
	if *update {
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if kept := must(os.ReadFile(path))(t); string(kept) != b.String() {
		t.Errorf("%s is not what is served: run go test ./engine/controller -run Reviewed -update, and look at git diff", path)
	}
}
