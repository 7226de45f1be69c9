package postgresql

import (
	"fmt"
	"path"
	"time"

	"github.com/gantry-orchestrator/gantry/charms/interfaces"
	"github.com/gantry-orchestrator/gantry/charms/sdk"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

const (
	exporterPort    = 9187
	exporterService = effect.ID("service/exporter")
	exporterProbe   = effect.ProbeID("exporter/health")
	monitoringRole  = "monitoring" // of the database and of its secret
)

// measured reports whether somebody collects metrics, or may at any time.
func (m *member) measured() bool {
	return sdk.Bool(m.in, "metrics_exporter") || len(m.scraped()) > 0
}

// scraped are the alive relations of those who collect metrics.
func (m *member) scraped() (alive []effect.Relation) {
	for _, r := range sdk.Relations(m.in, "metrics-endpoint") {
		if r.Life == model.Alive {
			alive = append(alive, r)
		}
	}
	return alive
}

// metrics runs Prometheus's exporter beside the member, as a role that may read
// statistics and nothing else.
func (m *member) metrics() {
	if !m.measured() {
		return
	}
	if m.in.Live.Leader {
		m.b.Secret(effect.SecretSpec{
			Name: monitoringRole, Scope: effect.ApplicationScope, Fields: map[string]effect.SecretField{"password": {Random: 32}},
		})
	}
	login, made := m.credential(monitoringRole)
	if !made {
		return
	}
	m.monitoring(login)
	m.exporter(login)
	for _, r := range m.scraped() {
		m.b.Publish(r.ID, map[string]string{
			"prometheus_scrape_unit_address": m.in.Spec.Address,
			"prometheus_scrape_unit_name":    m.in.Spec.Unit.String(),
		}, exporterService)
		if m.in.Live.Leader {
			m.b.PublishApplication(r.ID, m.scrape().Bag())
		}
	}
}

// monitoring makes the role once for all members.
func (m *member) monitoring(login credential) {
	primary, found := m.primary()
	if !m.in.Live.Leader || !found || m.leaving() || m.restoring() != nil {
		return
	}
	args := m.args("address", primary, "user", monitoringRole)
	args["password"] = sdk.Text(login.segment(effect.Raw))
	m.b.Task(effect.Task{
		ID: "task/monitoring", Key: fmt.Sprint(m.epoch.Number), Scope: effect.ApplicationScope,
		Run:   effect.Exec{Call: callMonitoring, Args: args, User: m.user()},
		After: []effect.ID{serviceID}, Idempotent: true, Timeout: time.Minute,
	})
}

// exporter wants the exporter, which answers whether PostgreSQL does or not.
func (m *member) exporter(login credential) {
	installed := m.b.Package("prometheus-postgres-exporter")
	file := func(name string, mode uint32, content effect.Content) effect.ID {
		return m.b.File(effect.File{
			Path: path.Join(m.configDir(), name), Mode: mode, Owner: m.user(), Group: m.user(),
			Content: content, After: []effect.ID{installed, "dir/config"},
		})
	}
	password := file("exporter.password", 0o600, sdk.Text(login.segment(effect.Raw)))
	queries := file("exporter.yml", 0o644, sdk.Text(exporterQueries))
	listen, encryption := sdk.HostPort(m.in, exporterPort), "disable"
	if m.certified {
		encryption = "require"
	}
	m.b.Probe(effect.Probe{ID: exporterProbe, Interval: 5 * time.Second, HTTP: &effect.HTTPProbe{URL: "http://" + listen + "/"}})
	m.b.Service(effect.Service{
		ID: exporterService,
		Command: []string{
			"/usr/bin/prometheus-postgres-exporter", "--web.listen-address=" + listen,
			"--extend.query-path=" + path.Join(m.configDir(), "exporter.yml"),
		},
		Env: map[string]string{
			"DATA_SOURCE_URI":       sdk.HostPort(m.in, sqlPort) + "/postgres?sslmode=" + encryption,
			"DATA_SOURCE_USER":      monitoringRole,
			"DATA_SOURCE_PASS_FILE": path.Join(m.configDir(), "exporter.password"),
		},
		User: m.user(), Group: m.user(), Health: exporterProbe, Healthy: "200",
		Uses: []effect.ID{installed, password, queries}, RestartOn: []effect.ID{password, queries},
	})
	m.b.Port(exporterPort)
}

// exporterQueries are what the alerts need beyond the exporter's own.
const exporterQueries = `pg_transactions:
  query: "SELECT max(age(datfrozenxid)) AS oldest_age FROM pg_database"
  metrics: [{oldest_age: {usage: GAUGE, description: "Transactions since the oldest that a database keeps"}}]
pg_standby:
  query: "SELECT coalesce(extract(epoch FROM now() - pg_last_xact_replay_timestamp()), 0) AS lag_seconds WHERE pg_is_in_recovery() AND pg_last_wal_receive_lsn() IS DISTINCT FROM pg_last_wal_replay_lsn()"
  metrics: [{lag_seconds: {usage: GAUGE, description: "Age of the last transaction that a standby which is behind has replayed"}}]
`

// scrape is what the application says to Prometheus.
func (m *member) scrape() interfaces.Scrape {
	unit := m.in.Spec.Unit
	return interfaces.Scrape{
		Model: string(m.in.Spec.Model), Application: string(unit.Application), Charm: string(m.in.Spec.Charm.Name),
		Jobs:  []interfaces.ScrapeJob{{Name: "postgresql", Port: exporterPort}, {Name: "patroni", Port: restPort}},
		Rules: alerts,
	}
}
