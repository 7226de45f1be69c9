// Package telemetry is the charm of a small mission application: it makes a
// spacecraft's packets, archives them in a related PostgreSQL, through a topic
// of Kafka where one is related, and can prove that none was lost.
package telemetry

import (
	"context"
	"embed"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gantry-orchestrator/gantry/charms/sdk"
	"github.com/gantry-orchestrator/gantry/charms/telemetry/internal/program"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// Files holds the charm's metadata.
//
//go:embed charm.yaml
var Files embed.FS

// Charm answers for one sender of telemetry.
type Charm struct{}

const (
	metricsPort  = 9464
	databaseName = "telemetry"

	volumeID    effect.ID      = "volume/ledger"
	serviceID   effect.ID      = "service/telemetry"
	healthProbe effect.ProbeID = "telemetry/health"
)

// Run implements sdk.Program: it is the workload, and the audit from outside.
func (Charm) Run(ctx context.Context, args []string) error {
	return program.Run(ctx, args, os.Stdout, os.Stderr)
}

// Reconcile implements sdk.Charm.
func (Charm) Reconcile(in effect.Input) effect.Desired {
	s := sender{in: in, b: &sdk.Builder{}}
	s.uses = append(s.uses, s.b.Package("postgresql-client"), s.ledger())
	settings, err := parseSettings(in)
	if err != nil {
		s.b.Partial("%v", err)
		return s.b.Done(sdk.Blocked("%v", err))
	}
	if volume, known := sdk.Volume(in, volumeID); known && volume.Foreign {
		s.b.Partial("the ledger's directory holds data that is not ours")
		return s.b.Done(sdk.Blocked("%s holds data that is not ours: move it away, or remove this unit", s.ledgerDir()))
	}
	database, related := sdk.Relation(in, "database")
	if !related {
		// Packets need somewhere to go: without a relation the service ends.
		return s.b.Done(sdk.Blocked("no database: run gantry integrate %s:database postgresql", in.Spec.Unit.Application))
	}
	if in.Live.Leader {
		s.b.PublishApplication(database.ID, map[string]string{"database": databaseName})
	}
	login, granted := sdk.SecretByID(in, database.Bag["secret-user"])
	endpoints := endpointsOf(in, database)
	if !granted || len(endpoints) == 0 {
		s.b.Partial("no login yet")
		return s.b.Done(sdk.Waiting("for %[1]s to offer a database and a login; if that takes long, see gantry status %[1]s: it may lack a relation to a database itself", database.Remote))
	}
	through := s.stream()
	if through.related && !through.offered {
		s.b.Partial("no topic yet")
		return s.b.Done(sdk.Waiting("for %[1]s to offer a topic and a login; if that takes long, see gantry status %[1]s", through.remote))
	}
	files := s.configuration(settings, target{database.Bag["database"], endpoints, login, through})
	s.service(through.command(), files)
	if through.related {
		s.archiver(files)
	}
	s.metrics(through)
	return s.b.Done(s.progress(settings, through))
}

// progress is the status of a unit that has all that it needs.
func (s *sender) progress(c settings, through stream) model.Status {
	healthy := func(probe effect.ProbeID) bool {
		status, known := sdk.Fact[string](s.in, probe)
		return known && status == "200"
	}
	switch {
	case !healthy(healthProbe), through.related && !healthy(archiverProbe):
		return sdk.Maintenance("starting")
	case through.related:
		return sdk.Active("%v packets/s through topic %s", c.rate, through.topic.Topic)
	default:
		return sdk.Active("%v packets/s", c.rate)
	}
}

// target is where packets go in the end, and by which way.
type target struct {
	database  string
	endpoints []string
	login     effect.Secret
	through   stream
}

// sender is one unit's view while Reconcile runs.
type sender struct {
	in   effect.Input
	b    *sdk.Builder
	uses []effect.ID
}

func (s *sender) user() string {
	if s.in.Host.Superuser {
		return "nobody"
	}
	return s.in.Host.User
}

func (s *sender) configDir() string { return path.Join(s.in.Host.Config, "telemetry") }
func (s *sender) ledgerDir() string { return path.Join(s.in.Host.Data, "ledger") }

func (s *sender) ledger() effect.ID {
	return s.b.Volume(effect.Volume{ID: volumeID, Path: s.ledgerDir(), Owner: s.user(), Incarnation: s.in.Spec.Unit.String()})
}

// endpointsOf are where the database may take writes, in a stable order: the
// pool that shares the unit's machine, else every member, of which the program
// finds the primary by itself.
func endpointsOf(in effect.Input, database effect.Relation) []string {
	for _, u := range sdk.Present(database) {
		if pool := u.Bag["endpoints"]; pool != "" && u.Address == in.Spec.Address {
			return strings.Split(pool, ",")
		}
	}
	var members []string
	for _, key := range []string{"endpoints", "read-only-endpoints"} {
		members = append(members, strings.FieldsFunc(database.Bag[key], func(r rune) bool { return r == ',' })...)
	}
	slices.Sort(members)
	return slices.Compact(members)
}

// configuration writes the program's files. The program reads passwords again
// with the rest, so all are reloaded alike.
func (s *sender) configuration(c settings, to target) []effect.ID {
	dir := s.b.Dir(effect.File{Path: s.configDir(), Mode: 0o755})
	file := func(name string, content effect.Content) effect.ID {
		return s.b.File(effect.File{Path: path.Join(s.configDir(), name), Mode: 0o600, Owner: s.user(), Content: content, After: []effect.ID{dir}})
	}
	topic, files := s.section(to.through, file)
	return append(files,
		file("password", sdk.Text(sdk.Secret(to.login, "password"), "\n")),
		file("telemetry.yaml", sdk.Text(
			"source: ", s.in.Spec.Unit, "\n",
			"spacecraft: ", c.spacecraft, "\n",
			"apids: [", strings.Join(c.apids, ", "), "]\n",
			"rate: ", c.rate, "\n",
			"ledger: ", quoted(path.Join(s.ledgerDir(), "ledger")), "\n",
			"listen: ", quoted(sdk.HostPort(s.in, metricsPort)), "\n",
			"archive:\n",
			"  endpoints: [", strings.Join(quotedAll(to.endpoints), ", "), "]\n",
			"  user: ", sdk.Encoded(to.login, "username", effect.Quoted), "\n",
			"  password-file: ", quoted(path.Join(s.configDir(), "password")), "\n",
			"  database: ", quoted(to.database), "\n", topic)))
}

func quoted(text string) string { return strconv.Quote(text) }

func quotedAll(texts []string) []string {
	all := make([]string, len(texts))
	for i, t := range texts {
		all[i] = quoted(t)
	}
	return all
}

func (s *sender) service(command string, files []effect.ID) {
	s.b.Probe(effect.Probe{
		ID: healthProbe, Interval: 2 * time.Second,
		HTTP: &effect.HTTPProbe{URL: "http://" + sdk.HostPort(s.in, metricsPort) + "/healthz"},
	})
	s.b.Service(effect.Service{
		ID:          serviceID,
		Command:     append(slices.Clone(s.in.Host.Program), command, "--config", configFile(s.in)),
		User:        s.user(),
		Uses:        append(s.uses, files...),
		ReloadOn:    files,
		StopTimeout: 20 * time.Second,
		Volume:      volumeID,
		Health:      healthProbe,
		Healthy:     "200",
	})
	s.b.Port(metricsPort)
}

// metrics says where Prometheus finds the unit.
func (s *sender) metrics(through stream) {
	targets := `"*:` + strconv.Itoa(metricsPort) + `"`
	if through.related {
		targets += `,"*:` + strconv.Itoa(archiverPort) + `"`
	}
	for _, r := range sdk.Relations(s.in, "metrics-endpoint") {
		if r.Life != model.Alive {
			continue
		}
		s.b.Publish(r.ID, map[string]string{
			"prometheus_scrape_unit_address": s.in.Spec.Address,
			"prometheus_scrape_unit_name":    s.in.Spec.Unit.String(),
		}, serviceID)
		if s.in.Live.Leader {
			s.b.PublishApplication(r.ID, map[string]string{
				"scrape_jobs": `[{"metrics_path":"/metrics","static_configs":[{"targets":[` + targets + `]}]}]`,
			})
		}
	}
}

func configFile(in effect.Input) string {
	return path.Join(in.Host.Config, "telemetry", "telemetry.yaml")
}
