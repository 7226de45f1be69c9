package e2e

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// scheduledBackup sets a schedule, which begins with a backup at once.
func scheduledBackup(t *testing.T, a *archive) {
	count := func() string { return a.act(t, a.primary(t).Name.String(), "list-backups")["count"] }
	before := count()
	a.gantry(t, "config", "postgresql", "backup_schedule=0 3 * * * differential")
	eventually(t, 2*time.Minute, "a backup appears", func() error {
		if now := count(); now == before {
			return errors.New("still " + now)
		}
		return nil
	})
	a.gantry(t, "config", "postgresql", "backup_schedule=")
	a.healthy(t)
}

// metrics has the exporter run on every member, and scrapes it and Patroni.
func metrics(t *testing.T, a *archive) {
	before := a.services(t)
	a.gantry(t, "config", "postgresql", "metrics_exporter=true")
	a.converge(t, 2*time.Minute)
	for _, u := range a.members(t) {
		for port, lines := range map[int][]string{
			9187: {"pg_up 1", "pg_transactions_oldest_age", "pg_settings_max_connections", "pg_stat_activity_count", "pg_stat_archiver_failed_count"},
			8008: {"patroni_primary{", "patroni_sync_standby{", "patroni_pending_restart{", "patroni_failsafe_mode_is_active{"},
		} {
			eventually(t, time.Minute, fmt.Sprintf("port %d of %s has its metrics", port, u.Name), func() error {
				text, err := scrape(u.Address, port)
				for _, line := range lines {
					if err == nil && !strings.Contains(text, line) {
						err = errors.New("no " + line)
					}
				}
				return err
			})
		}
	}
	if changed := differ(before, a.services(t)); len(changed) > 0 {
		t.Errorf("measuring restarted services: %v", changed)
	}
}

func scrape(address string, port int) (string, error) {
	client := http.Client{Timeout: 5 * time.Second}
	response, err := client.Get(fmt.Sprintf("http://%s:%d/metrics", address, port))
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return string(text), err
}

// setPassword changes the passwords of the superuser, of the standbys and of
// the archive's client while packets are written.
func setPassword(t *testing.T, a *archive) {
	from, old := time.Now(), a.password
	client := a.on(t, a.primary(t).Address, "postgres", "SELECT rolname FROM pg_roles WHERE rolname LIKE 'relation-%'")
	hash := func() string {
		return a.on(t, a.primary(t).Address, "postgres", "SELECT rolpassword FROM pg_authid WHERE rolname = '"+client+"'")
	}
	was := hash()
	for _, user := range []string{"operator", "replication", client} {
		a.in.patient(t, 3*time.Minute, a.of("run", "postgresql", "set-password", "username="+user)...)
		if user == "operator" {
			if _, err := a.sql(a.members(t)[0].Address, "postgres", "SELECT 1"); err == nil {
				t.Error("the old password of operator still logs in")
			}
			a.password = a.act(t, a.members(t)[0].Name.String(), "get-password")["password"] // without psql, which needs it
		}
	}
	if a.password == old {
		t.Error("get-password still gives the old password")
	}
	if hash() == was {
		t.Errorf("the server has the old password of %s", client)
	}
	a.converge(t, 2*time.Minute)
	a.writes(t, from, time.Minute)
	figure("write gap, three passwords changed", a.book.gap(from).Seconds(), "s", "no goal")
	a.healthy(t)
}
