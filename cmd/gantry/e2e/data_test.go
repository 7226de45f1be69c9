package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gantry-orchestrator/gantry/model/operator"
)

// encryptedBundle is the archive of telemetry with an authority of certificates,
// and with its consensus in an etcd.
const encryptedBundle = "bundles/secure-telemetry.yaml"

// TestAnEncryptedArchive takes PostgreSQL that agrees through etcd, with traffic
// that is encrypted throughout, through what may befall etcd, the authority and
// the primary.
func TestAnEncryptedArchive(t *testing.T) {
	w := workspace{in: open(t), name: "default"}
	w.applied(t, encryptedBundle)
	a := w.archive(t)
	a.streaming(t, 3, time.Minute)
	for _, story := range []struct {
		name string
		tell func(*testing.T, *archive)
	}{
		{"psql knows every server by its certificate, and none lets it in without encryption", encrypted},
		{"PostgreSQL goes on writing while etcd has no quorum", etcdWithoutQuorum},
		{"the authority changes, and no client sees an error", authorityChanged},
		{"the primary's machine dies and no packet is lost", primaryKilled},
		{"a pool whose relation to the authority ends has no certificate", poolWithoutAuthority},
	} {
		t.Run(story.name, func(t *testing.T) { story.tell(t, a) })
	}
}

// applied applies a bundle at once, and tells how long each application took to
// settle while all came up together.
func (w workspace) applied(t *testing.T, bundle string) {
	t.Helper()
	began, took := time.Now(), map[string]float64{}
	w.gantry(t, "apply", bundle)
	eventually(t, convergenceTime, "every application has settled", func() error {
		s, err := w.tryStatus(t)
		if err != nil {
			return err
		}
		missing := ""
		for _, app := range s.Applications {
			name := string(app.Name)
			if took[name] > 0 {
				continue
			}
			if len(app.Units) == 0 || settled(s, name, len(app.Units)) != nil {
				missing = name
				continue
			}
			took[name] = time.Since(began).Seconds()
			figure("bundle of certificates and etcd, "+name+" settled", took[name], "s", "no goal")
		}
		if missing != "" || len(s.Applications) == 0 {
			return fmt.Errorf("%s has not", missing)
		}
		return nil
	})
	w.converge(t, convergenceTime)
	figure("bundle of certificates and etcd converged", time.Since(began).Seconds(), "s", "no goal")
}

// tryStatus is the status, where the controller is not too busy to answer.
func (w workspace) tryStatus(t testing.TB) (operator.Status, error) {
	t.Helper()
	r := w.in.run(commandLimit, w.of("status", "-o", "json")...)
	if r.code != 0 {
		return operator.Status{}, fmt.Errorf("status: exit %d: %s", r.code, r.err)
	}
	return decode[operator.Status](t, r.out), nil
}

// login is how a client of another make reaches a server.
type login struct{ host, port, user, password, database string }

// connect has psql ask a server for a session of its own, with libpq's further
// settings for encryption.
func (l login) connect(settings string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "psql", "-XAtq", "-c", "SELECT 1",
		fmt.Sprintf("host=%s port=%s user=%s dbname=%s connect_timeout=20 %s", l.host, l.port, l.user, l.database, settings))
	cmd.Env = append(os.Environ(), "PGPASSWORD="+l.password)
	_, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return fmt.Errorf("psql at %s:%s %s: %s", l.host, l.port, settings, strings.TrimSpace(string(exit.Stderr)))
	}
	return err
}

// file is a file of a unit's configuration, as the host reaches it.
func (a *archive) file(t testing.TB, unit, name string) string {
	t.Helper()
	return machineOf(t, a.status(t), unit).files(t) + "/var/lib/gantry/config/" + strings.ReplaceAll(unit, "/", "-") + "/" + name
}

// verified are libpq's settings of a client that is sure of its server, by whom
// the unit itself trusts.
func (a *archive) verified(t testing.TB, trusting string) string {
	t.Helper()
	return "sslmode=verify-full sslrootcert=" + a.file(t, trusting, "postgresql/ca.pem")
}

var poolLogin = regexp.MustCompile(`^"([^"]+)" "([^"]+)"`)

// pool is the login that the pool was given, at the pool.
func (a *archive) pool(t testing.TB) login {
	t.Helper()
	text, err := os.ReadFile(a.file(t, "pgbouncer/0", "pgbouncer/users.txt"))
	found := poolLogin.FindStringSubmatch(string(text))
	if err != nil || found == nil {
		t.Fatalf("the pool's login is not to be read: %v", err)
	}
	address := unit(t, a.status(t), "telemetry/0").Address
	return login{host: address, port: "6432", user: found[1], password: found[2], database: "telemetry"}
}

// servers are the members and the pool.
func (a *archive) servers(t testing.TB) []login {
	t.Helper()
	all := []login{a.pool(t)}
	for _, u := range a.members(t) {
		all = append(all, login{host: u.Address, port: "5432", user: "operator", password: a.password, database: "postgres"})
	}
	return all
}

func encrypted(t *testing.T, a *archive) {
	for _, server := range a.servers(t) {
		if err := server.connect(a.verified(t, "postgresql/0")); err != nil {
			t.Error(err)
		}
		if err := server.connect("sslmode=disable"); err == nil && server.port == "5432" {
			t.Errorf("%s takes a session without encryption", server.host)
		}
	}
	sessions := a.on(t, a.primary(t).Address, "postgres",
		"SELECT count(*) FILTER (WHERE ssl), count(*) FILTER (WHERE NOT ssl) FROM pg_stat_ssl JOIN pg_stat_replication USING (pid)")
	if sessions != "2|0" {
		t.Errorf("standbys over TLS and without: %s, want 2|0", sessions)
	}
	a.audit(t)
}

// etcdWithoutQuorum cuts two of three members off for twice the time after which
// the primary's lock ends.
func etcdWithoutQuorum(t *testing.T, a *archive) {
	const lasting = 40 * time.Second
	before := a.primary(t)
	from := time.Now()
	cut := []operator.Unit{unit(t, a.status(t), "etcd/0"), unit(t, a.status(t), "etcd/1")}
	for _, u := range cut {
		a.gantry(t, "fault", "cut", string(u.Machine))
	}
	time.Sleep(time.Until(from.Add(lasting)))
	a.writes(t, from, time.Minute)
	gap := a.book.gap(from)
	figure("write gap, etcd without a quorum for 40 s", gap.Seconds(), "s", "none but the usual")
	if after := a.primary(t); after.Name != before.Name {
		t.Errorf("%s was the primary and %s is", before.Name, after.Name)
	}
	if gap > 20*time.Second {
		t.Errorf("no packet was archived for %v", gap)
	}
	for _, u := range cut {
		a.gantry(t, "fault", "heal", string(u.Machine))
	}
	a.healthy(t)
}

// authorityChanged has new sessions made at every server while the authority
// changes; each must be sure of its server. Services other than etcd's, whose
// members restart, go on as they are.
func authorityChanged(t *testing.T, a *archive) {
	const authority = "tls-certificates/0"
	trusted := func() (string, error) {
		out, err := a.tryAct(authority, "get-ca-certificate")
		return out["ca-certificate"], err
	}
	old, err := trusted()
	if err != nil {
		t.Fatal(err)
	}
	services, servers, began := a.services(t), a.servers(t), time.Now()
	settings := a.verified(t, "postgresql/0")
	a.gantry(t, "run", "--background", authority, "rotate-ca")
	sessions := 0
	eventually(t, 5*time.Minute, "the old authority is trusted no more", func() error {
		for _, server := range servers {
			sessions++
			if err := server.connect(settings); err != nil {
				t.Errorf("session %d: %v", sessions, err)
			}
		}
		if now, err := trusted(); err != nil || strings.Contains(now, strings.TrimSpace(old)) {
			return errors.Join(errors.New("it still is"), err)
		}
		s, err := a.tryStatus(t)
		if err == nil && !s.Model.Converged {
			err = errors.New("it is not, and the model has not converged")
		}
		return err
	})
	figure("authority changed under PostgreSQL, its pool and etcd", time.Since(began).Seconds(), "s", "no goal")
	figure("write gap, authority changed", a.gap(t, began).Seconds(), "s", "no effect on writes")
	t.Logf("%d sessions were made meanwhile", sessions)
	if changed := differ(services, a.services(t)); len(changed) > 0 {
		t.Errorf("the change restarted services: %v", changed)
	}
	a.healthy(t)
}

// gap is the longest time without an acknowledgement since a time.
func (a *archive) gap(t testing.TB, from time.Time) time.Duration {
	t.Helper()
	a.writes(t, from, time.Minute)
	return a.book.gap(from)
}

// primaryKilled kills the primary's machine. One that is back before its lock
// ends goes on as the primary.
func primaryKilled(t *testing.T, a *archive) {
	a.strike(t, "machine killed, consensus in etcd", 20*time.Second, func(primary operator.Unit) {
		a.gantry(t, "fault", "kill", string(primary.Machine))
	})
	a.healthy(t)
}

func poolWithoutAuthority(t *testing.T, a *archive) {
	pool := a.pool(t)
	a.gantry(t, "remove-relation", "pgbouncer:certificates", "tls-certificates:certificates")
	a.converge(t, time.Minute)
	for _, name := range []string{"server.key", "server.pem"} {
		if _, err := os.Stat(a.file(t, "pgbouncer/0", "pgbouncer/"+name)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the pool's %s is still there: %v", name, err)
		}
	}
	if err := pool.connect("sslmode=require"); err == nil {
		t.Error("the pool still offers encryption")
	}
	if err := pool.connect("sslmode=prefer"); err != nil {
		t.Error(err)
	}
	a.healthy(t)
}
