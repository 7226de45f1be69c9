// Package pgbouncer is the charm of the connection pool of a client of
// PostgreSQL, beside it or on machines of its own: PgBouncer in front of a local
// HAProxy, which follows the primary by asking every member, controller or not.
package pgbouncer

import (
	"embed"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/gantry-orchestrator/gantry/charms/sdk"
	"github.com/gantry-orchestrator/gantry/charms/tlscertificates/requirer"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// Files holds the charm's metadata.
//
//go:embed charm.yaml
var Files embed.FS

// Charm answers for one pool of one client.
type Charm struct{}

const (
	poolPort    = 6432
	primaryPort = 15432 // of the local HAProxy, leads to the primary
	replicaPort = 15433 // leads to a replica
	sqlPort     = 5432
	restPort    = 8008 // of Patroni, which says who is primary
)

const (
	poolID     = effect.ID("service/pgbouncer")
	proxyID    = effect.ID("service/haproxy")
	poolProbe  = effect.ProbeID("pgbouncer/listening")
	proxyProbe = effect.ProbeID("haproxy/listening")
)

// Reconcile implements sdk.Charm.
func (Charm) Reconcile(in effect.Input) effect.Desired {
	p := pool{in: in, b: &sdk.Builder{}}
	packages := []effect.ID{p.b.Package("pgbouncer"), p.b.Package("haproxy")}
	if mode := sdk.String(in, "pool_mode"); mode != "session" && mode != "transaction" && mode != "statement" {
		p.b.Partial("pool_mode")
		return p.b.Done(sdk.Blocked("pool_mode is %q: expected session, transaction or statement", mode))
	}
	client, asked := p.client()
	backend, related := sdk.Relation(in, "backend-database")
	if related && asked && in.Live.Leader {
		p.b.PublishApplication(backend.ID, request(client))
	}
	switch {
	case !related:
		// A pool in front of nothing ends; else the database could never leave.
		return p.b.Done(sdk.Blocked("no database: run gantry integrate %s:backend-database postgresql", in.Spec.Unit.Application))
	case !asked && p.ending():
		// The client takes its request back before it leaves, and leaves only
		// once its pool has settled.
		return p.b.Done(sdk.Active("its client leaves"))
	case !asked:
		p.b.Partial("no client yet")
		return p.b.Done(sdk.Waiting("for the client to ask for a database"))
	}
	login, granted := sdk.SecretByID(in, backend.Bag["secret-user"])
	if !granted || backend.Bag["database"] == "" {
		p.b.Partial("no login yet")
		return p.b.Done(sdk.Waiting("for %s to make the database", backend.Remote))
	}
	p.backend, p.login = backend, login
	if waits := p.certify(); waits != "" {
		p.b.Partial("%s", waits)
		return p.b.Done(sdk.Waiting("%s", waits))
	}
	p.services(packages)
	p.publish(client)
	p.b.Port(poolPort)
	if healthy, known := sdk.Fact[string](in, poolProbe); known && healthy == "true" {
		return p.b.Done(sdk.Active("pooling for %s", client.Remote))
	}
	return p.b.Done(sdk.Maintenance("starting"))
}

// pool is one unit's view while Reconcile runs.
type pool struct {
	in        effect.Input
	b         *sdk.Builder
	backend   effect.Relation
	login     effect.Secret
	tls       requirer.Certificate
	certified bool // tls is signed
}

// client is the relation of the principal, once it has asked. One that ends
// keeps its pool until it is gone.
func (p *pool) client() (effect.Relation, bool) {
	for _, r := range sdk.Relations(p.in, "database") {
		if r.Bag["database"] != "" {
			return r, true
		}
	}
	return effect.Relation{}, false
}

// ending reports whether the relation to the principal is being removed.
func (p *pool) ending() bool {
	return slices.ContainsFunc(sdk.Relations(p.in, "database"), func(r effect.Relation) bool { return r.Life != model.Alive })
}

// request passes on what the client asked for.
func request(client effect.Relation) map[string]string {
	bag := map[string]string{"database": client.Bag["database"]}
	if roles := client.Bag["extra-user-roles"]; roles != "" {
		bag["extra-user-roles"] = roles
	}
	return bag
}

func (p *pool) user(name string) string {
	if p.in.Host.Superuser {
		return name
	}
	return p.in.Host.User
}

func (p *pool) dir() string { return path.Join(p.in.Host.Config, "pgbouncer") }

func (p *pool) services(packages []effect.ID) {
	owner := p.user("postgres")
	dir := p.b.Dir(effect.File{Path: p.dir(), Mode: 0o755, Owner: owner, Group: owner, After: packages})
	after := append(packages, dir)
	file := func(name string, mode uint32, owner string, content effect.Content) effect.ID {
		return p.b.File(effect.File{Path: path.Join(p.dir(), name), Mode: mode, Owner: owner, Group: owner, Content: content, After: after})
	}
	users := file("users.txt", 0o600, owner, sdk.Text(
		`"`, sdk.Secret(p.login, "username"), `" "`, sdk.Secret(p.login, "password"), "\"\n"))
	certificates, encryption := p.certificates(func(name string, mode uint32, content effect.Content) effect.ID {
		return file(name, mode, owner, content)
	})
	ini := file("pgbouncer.ini", 0o640, owner, sdk.Text(p.ini(), encryption))
	cfg := file("haproxy.cfg", 0o644, p.user("haproxy"), sdk.Text(p.haproxy()))

	listening := p.b.Probe(effect.Probe{ID: poolProbe, TCP: sdk.HostPort(p.in, poolPort), Interval: 2 * time.Second})
	following := p.b.Probe(effect.Probe{ID: proxyProbe, TCP: sdk.HostPort(p.in, primaryPort), Interval: 2 * time.Second})
	haproxy := p.b.Service(effect.Service{
		ID:      proxyID,
		Command: []string{"/usr/sbin/haproxy", "-W", "-db", "-f", path.Join(p.dir(), "haproxy.cfg")},
		User:    p.user("haproxy"), Group: p.user("haproxy"),
		ReloadOn: []effect.ID{cfg}, ReloadSignal: "SIGUSR2", StopTimeout: 5 * time.Second,
		Health: following, Uses: append(packages, cfg),
	})
	p.b.Service(effect.Service{
		ID:      poolID,
		Command: []string{"/usr/sbin/pgbouncer", path.Join(p.dir(), "pgbouncer.ini")},
		User:    owner, Group: owner,
		ReloadOn: append(certificates, ini, users), ReloadSignal: "SIGHUP", StopTimeout: 5 * time.Second,
		Health: listening, Uses: slices.Concat(packages, certificates, []effect.ID{ini, users, haproxy}),
	})
}

// ini is pgbouncer.ini: one process, every database through the local HAProxy.
// Users that the login file does not know are looked up by the function that
// PostgreSQL's charm makes.
func (p *pool) ini() effect.Content {
	local := p.in.Spec.Address
	return sdk.Text("[databases]\n",
		"* = host=", local, " port=", primaryPort, "\n\n[pgbouncer]\n",
		"listen_addr = ", local, "\nlisten_port = ", poolPort, "\nunix_socket_dir =\n",
		"auth_type = scram-sha-256\nauth_file = ", path.Join(p.dir(), "users.txt"), "\n",
		"auth_user = ", sdk.Secret(p.login, "username"), "\n",
		"auth_query = SELECT username, password FROM pgbouncer.get_auth($1)\n",
		"pool_mode = ", sdk.String(p.in, "pool_mode"), "\n",
		"max_client_conn = ", sdk.Int(p.in, "max_client_conn"), "\n",
		"default_pool_size = ", sdk.Int(p.in, "default_pool_size"), "\n",
		"max_db_connections = ", sdk.Int(p.in, "max_db_connections"), "\n",
		"query_wait_timeout = ", sdk.Int(p.in, "query_wait_timeout"), "\n",
		"server_connect_timeout = 3\nserver_login_retry = 0.25\nserver_check_delay = 5\n",
		"ignore_startup_parameters = extra_float_digits,search_path,options\n")
}

// haproxy is haproxy.cfg: a member is up behind the first port while Patroni
// says that it is the primary, behind the second while it is a replica. The
// next primary is found within half a second of its promotion, and one that
// lost its part is confirmed to have within a quarter more than a second.
func (p *pool) haproxy() string {
	var b strings.Builder
	b.WriteString("global\n  maxconn 2000\n  hard-stop-after 30s\n\ndefaults\n  mode tcp\n  timeout connect 3s\n  timeout client 24h\n  timeout server 24h\n  timeout check 3s\n")
	p.frontend(&b, "primary", primaryPort)
	p.frontend(&b, "replica", replicaPort)
	return b.String()
}

func (p *pool) frontend(b *strings.Builder, role string, port int) {
	fmt.Fprintf(b, "\nlisten %s\n  bind %s\n  option httpchk OPTIONS /%s\n  http-check expect status 200\n", role, sdk.HostPort(p.in, port), role)
	fmt.Fprintf(b, "  default-server inter 1s fastinter 250ms downinter 500ms fall 2 rise 1 on-marked-down shutdown-sessions\n")
	for _, u := range sdk.Present(p.backend) {
		if u.Address != "" {
			fmt.Fprintf(b, "  server %s %s check port %d\n", u.Unit.Dashed(), sdk.Join(u.Address, sqlPort), restPort)
		}
	}
}

// endpoints are where the client connects: to the unit on its own machine, or
// to any of the units that have machines of their own.
func (p *pool) endpoints() string {
	if !p.in.Spec.Principal.IsZero() {
		return sdk.Join("localhost", poolPort)
	}
	all := []string{sdk.HostPort(p.in, poolPort)}
	for _, peer := range sdk.Peers(p.in) {
		if peer.Life == model.Alive && peer.Bag["pooling"] == "true" {
			all = append(all, sdk.Join(peer.Address, poolPort))
		}
	}
	slices.Sort(all)
	return strings.Join(all, ",")
}

// publish gives the client its login and where to connect.
func (p *pool) publish(client effect.Relation) {
	if peers, ok := sdk.PeerRelation(p.in); ok {
		p.b.Publish(peers.ID, map[string]string{"pooling": "true"}, poolID)
	}
	endpoint := map[string]string{"endpoints": sdk.HostPort(p.in, poolPort)}
	p.b.Publish(client.ID, endpoint, poolID)
	if !p.in.Live.Leader {
		return
	}
	// A secret never changes: another login has another one.
	name := fmt.Sprintf("client-%d-%s", client.ID, strings.TrimPrefix(p.login.ID, "secret:"))
	p.b.Secret(effect.SecretSpec{
		Name: name, Scope: effect.ApplicationScope, Grants: []model.RelationID{client.ID},
		Fields: map[string]effect.SecretField{
			"username": {Content: sdk.Text(sdk.Secret(p.login, "username"))},
			"password": {Content: sdk.Text(sdk.Secret(p.login, "password"))},
		},
	})
	if secret, made := sdk.SecretNamed(p.in, name); made {
		bag := map[string]string{
			"database":    p.backend.Bag["database"],
			"endpoints":   p.endpoints(),
			"secret-user": secret.ID,
			"version":     p.backend.Bag["version"],
		}
		if id := p.trusted(client); id != "" {
			bag["secret-tls"] = id
		}
		p.b.PublishApplication(client.ID, bag, poolID)
	}
}
