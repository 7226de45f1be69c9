package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gantry-orchestrator/gantry/model/operator"
)

const (
	bundleFile      = "bundles/telemetry.yaml"
	packetsASecond  = 100
	convergenceTime = 15 * time.Minute
)

// archive is bundles/telemetry.yaml, running.
type archive struct {
	*cluster
	book *ledger
}

// deploy applies the bundle and waits until packets are archived.
func (w workspace) deploy(t testing.TB) *archive {
	t.Helper()
	began := time.Now()
	w.gantry(t, "apply", bundleFile)
	w.converge(t, convergenceTime)
	figure("bundle converged", time.Since(began).Seconds(), "s", "measured against a script by make bench")
	return w.archive(t)
}

// archive is the one that has converged, once packets are archived.
func (w workspace) archive(t testing.TB) *archive {
	t.Helper()
	a := &archive{cluster: w.cluster(t, "postgresql")}
	a.book = newLedger(machineOf(t, w.status(t), "telemetry/0").files(t) + "/var/lib/gantry/data/telemetry-0/ledger/ledger")
	a.writes(t, time.Now(), time.Minute)
	return a
}

// writes waits until packets are acknowledged again at their rate, counted
// from a time on, and returns when.
func (a *archive) writes(t testing.TB, from time.Time, limit time.Duration) {
	t.Helper()
	eventually(t, limit, "packets are archived at their rate", func() error {
		if err := a.book.refresh(); err != nil {
			return err
		}
		const window = 2 * time.Second
		start := time.Now().Add(-window)
		if start.Before(from) {
			return fmt.Errorf("it is less than %v after the fault", window)
		}
		if n := a.book.since(start); n < packetsASecond*int(window.Seconds())/2 {
			return fmt.Errorf("%d packets within %v", n, window)
		}
		return nil
	})
}

// machines are those of the archive's units, by unit.
func (a *archive) machines(t testing.TB) map[string]machine {
	t.Helper()
	s, found := a.status(t), map[string]machine{}
	for _, app := range s.Applications {
		for _, u := range app.Units {
			found[u.Name.String()] = machineOf(t, s, u.Name.String())
		}
	}
	return found
}

// services are all service processes, "unit's machine: name" to identity.
func (a *archive) services(t testing.TB) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, m := range a.machines(t) {
		for name, identity := range m.services() {
			found["machine "+m.name+": "+name] = identity
		}
	}
	if len(found) < 9 { // postgres and patroni three times, haproxy, pgbouncer, telemetry
		t.Fatalf("only %d services run: %v", len(found), found)
	}
	return found
}

// report is what the telemetry charm's audit says.
type report struct {
	Sent, Acknowledged, Rows             int
	Missing, Duplicate, Phantom, Altered struct{ Count int }
}

// audit compares the archive with the ledger twice: by the charm's action, and
// by psql and nothing of ours.
func (a *archive) audit(t testing.TB) {
	t.Helper()
	out := a.act(t, "telemetry/0", "audit")
	r := decode[report](t, out["report"])
	if r.Missing.Count+r.Duplicate.Count+r.Phantom.Count+r.Altered.Count != 0 || r.Acknowledged == 0 {
		t.Errorf("the charm's audit: %s", out["summary"])
	}
	missing, duplicate, phantom := a.compare(t, time.Time{})
	if missing+duplicate+phantom != 0 {
		t.Errorf("psql against the ledger: %d missing, %d duplicate, %d phantom of %d acknowledged", missing, duplicate, phantom, len(a.book.acked))
	}
	t.Logf("%d packets acknowledged, %d rows: none missing, duplicate or phantom", r.Acknowledged, r.Rows)
}

// compare reads the archive between two readings of the ledger: what was
// acknowledged before must be there once, and all that is there must have been
// sent. Packets acknowledged after a time are left out, unless it is zero.
func (a *archive) compare(t testing.TB, until time.Time) (missing, duplicate, phantom int) {
	t.Helper()
	if err := a.book.refresh(); err != nil {
		t.Fatal(err)
	}
	acked := make([]string, 0, len(a.book.acked))
	for id, at := range a.book.acked {
		if until.IsZero() || at.Before(until) {
			acked = append(acked, id)
		}
	}
	rows := map[string]int{}
	for _, id := range a.rows(t) {
		rows[id]++
	}
	if err := a.book.refresh(); err != nil {
		t.Fatal(err)
	}
	for _, id := range acked {
		if rows[id] == 0 {
			missing++
		}
	}
	for id, n := range rows {
		if n > 1 {
			duplicate++
		}
		if _, sent := a.book.sent[id]; !sent {
			phantom++
		}
	}
	return missing, duplicate, phantom
}

// rows are the packets' names in the archive, by psql.
func (a *archive) rows(t testing.TB) []string {
	t.Helper()
	return strings.Fields(a.on(t, a.primary(t).Address, "telemetry", "COPY (SELECT id FROM telemetry_packet) TO STDOUT"))
}

// healthy waits until nothing is left of a fault: the model has converged,
// every member streams, and the audit finds nothing.
func (a *archive) healthy(t testing.TB) {
	t.Helper()
	a.converge(t, 5*time.Minute)
	a.streaming(t, len(a.members(t)), 3*time.Minute)
	a.audit(t)
}

// plan is what applying the bundle with an overlay would do.
func (a *archive) plan(t testing.TB, overlay string) operator.Planned {
	t.Helper()
	r := a.in.run(commandLimit, a.of("plan", bundleFile, "--overlay", overlay, "-o", "json")...)
	if r.code != 2 {
		t.Fatalf("plan of a change: exit %d, want 2\n%s%s", r.code, r.out, r.err)
	}
	return decode[operator.Planned](t, r.out)
}

// differ compares two sets of identities and names what changed.
func differ(before, after map[string]string) (changed []string) {
	for name, was := range before {
		if now := after[name]; now != was {
			changed = append(changed, fmt.Sprintf("%s was %s and is %q", name, was, now))
		}
	}
	slices.Sort(changed)
	return changed
}

// patroniMembers asks Patroni's REST interface who belongs to the cluster.
func patroniMembers(address string) (names []string, leader string, err error) {
	var answer struct {
		Members []struct{ Name, Role, State string }
	}
	client := http.Client{Timeout: 5 * time.Second}
	response, err := client.Get("http://" + address + ":8008/cluster")
	if err != nil {
		return nil, "", err
	}
	defer response.Body.Close()
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		return nil, "", err
	}
	for _, m := range answer.Members {
		names = append(names, m.Name)
		if m.Role == "leader" {
			leader = m.Name
		}
	}
	slices.Sort(names)
	return names, leader, nil
}
