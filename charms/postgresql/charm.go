// Package postgresql is the charm of highly available PostgreSQL 15 under
// Patroni. Its promises: one set of founders for each epoch, who start at once,
// members that join and leave it one at a time, restarts with the primary last,
// and data that is set aside rather than overwritten.
//
// It is pure; what touches the software is in internal/operate.
package postgresql

import (
	"cmp"
	"embed"
	"fmt"

	"github.com/gantry-orchestrator/gantry/charms/sdk"
	"github.com/gantry-orchestrator/gantry/charms/tlscertificates/requirer"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// Files holds the charm's metadata.
//
//go:embed charm.yaml
var Files embed.FS

// Charm answers for the members of a PostgreSQL cluster.
type Charm struct{}

// The ids of what the charm wants and observes.
const (
	serviceID  = effect.ID("service/patroni")
	volumeID   = effect.ID("volume/pgdata")
	patroniYML = effect.ID("file/patroni.yml")

	statusProbe = effect.ProbeID("patroni/status")
	healthProbe = effect.ProbeID("patroni/health")
	memberProbe = effect.ProbeID("patroni/member")
	listedProbe = effect.ProbeID("raft/listed")
	backupProbe = effect.ProbeID("backup/verified")

	configuredProbe = effect.ProbeID("patroni/configured")
	takenUpProbe    = effect.ProbeID("patroni/taken-up")
)

// The ports of a member.
const (
	sqlPort  = 5432
	restPort = 8008
	raftPort = 2222
)

// Reconcile implements sdk.Charm.
func (Charm) Reconcile(in effect.Input) effect.Desired {
	m := member{in: in, b: &sdk.Builder{}}
	m.peers, _ = sdk.PeerRelation(in)
	m.observe()
	packages := m.packages()

	var problem error
	if m.settings, problem = parseSettings(in); problem != nil {
		m.b.Partial("%v", problem)
		return m.b.Done(sdk.Blocked("%v", problem))
	}
	if waits := m.mint(); waits != "" {
		m.b.Partial("%s", waits)
		return m.b.Done(sdk.Waiting("%s", waits))
	}
	if problem := m.refusedConsensus(); problem != "" {
		m.b.Partial("%s", problem)
		return m.b.Done(sdk.Blocked("%s", problem))
	}
	volume, known := sdk.Volume(in, volumeID)
	if known && volume.Foreign {
		m.b.Partial("the data directory holds data that is not ours")
		return m.b.Done(sdk.Blocked("%s holds data that is not ours: move it away, or remove this unit", m.dataDir()))
	}
	m.volume = volume

	uses := append(packages, m.directories(packages)...)
	shown, waits := m.certify(uses)
	uses = append(uses, shown...)
	if waits = cmp.Or(waits, m.consult()); waits != "" {
		m.b.Partial("%s", waits)
		if m.leaving() {
			m.b.Hold(in.Spec.Unit, "it waits %s", waits)
		}
		return m.b.Done(sdk.Waiting("%s", waits))
	}
	uses = append(uses, m.consensusFiles(uses)...)
	if !m.founds() && !m.joined() && !m.stopped() {
		task := m.join(uses)
		if task == "" {
			waits := fmt.Sprintf("for %s to found the cluster", m.epoch.Founder)
			m.b.Partial("%s", waits)
			return m.b.Done(sdk.Waiting("%s", waits))
		}
		uses = append(uses, task)
	}
	m.service(uses)
	m.probes()
	m.metrics()
	if m.leaving() {
		return m.b.Done(m.depart())
	}
	m.databases()
	if order := m.restoring(); order != nil {
		return m.b.Done(m.restore(order))
	}
	m.publishMember()
	m.backups()
	m.configure()
	m.changed()
	if order := m.changing(); order != nil {
		return m.b.Done(m.change(order))
	}
	return m.b.Done(m.status())
}

// member is one unit's view while Reconcile runs.
type member struct {
	in        effect.Input
	b         *sdk.Builder
	settings  settings
	peers     effect.Relation
	secret    effect.Secret // passwords that all members share
	epoch     epoch
	volume    sdk.VolumeState
	observed  patroniStatus
	known     bool // observed is known
	tls       requirer.Certificate
	certified bool           // tls is signed
	keys      keys           // of etcd, where the consensus is there
	cleared   effect.ProbeID // the member probe, once it is wanted
}

// patroniStatus is what GET /patroni selects of a member.
type patroniStatus struct {
	State          string `json:"state"`
	Role           string `json:"role"`
	PendingRestart bool   `json:"pending_restart"`
	SyncStandby    bool   `json:"sync_standby"`
	Timeline       int    `json:"timeline"`
	ServerVersion  int    `json:"server_version"`
	Started        string `json:"postmaster_start_time"`
	NoFailover     bool   `json:"tags.nofailover"`  // it is no candidate, as its configuration says
	Unlocked       bool   `json:"cluster_unlocked"` // no member is the primary
}

// role is the member's part in words that do not change between Patroni's
// versions: Debian's 3.0.2 says master.
func (s patroniStatus) role() string {
	switch {
	case s.Role == "master" || s.Role == "primary":
		return rolePrimary
	case s.SyncStandby:
		return roleSync
	default:
		return roleReplica
	}
}

// The parts of a member.
const (
	rolePrimary = "primary"
	roleSync    = "sync-standby"
	roleReplica = "replica"
)

func (m *member) observe() {
	m.observed, m.known = sdk.Fact[patroniStatus](m.in, statusProbe)
}

// running reports whether the member is known to serve.
func (m *member) running() bool { return m.known && m.observed.State == "running" }

func (m *member) isPrimary() bool { return m.running() && m.observed.role() == rolePrimary }

func (m *member) leaving() bool { return sdk.Leaving(m.in) && !sdk.EndingWhole(m.in) }

func (m *member) packages() []effect.ID {
	var ids []effect.ID
	for _, name := range []string{"postgresql-15", "patroni", "python3-pysyncobj", "python3-etcd", "pgbackrest"} {
		ids = append(ids, m.b.Package(name))
	}
	return ids
}

// status says how the member fares.
func (m *member) status() model.Status {
	if m.known && m.observed.ServerVersion > 0 {
		m.b.Version(versionText(m.observed.ServerVersion))
	}
	m.b.Port(sqlPort)
	switch {
	case m.running() && m.takingUp():
		return sdk.Maintenance("taking up the settings")
	case m.isPrimary():
		return sdk.Active("primary%s", m.unusedEtcd())
	case m.running() && m.observed.Unlocked:
		return sdk.Waiting("for the members to make one the primary; see gantry run %s promote-to-primary where that lasts", m.in.Spec.Unit)
	case m.running() && m.observed.role() == roleSync:
		return sdk.Active("synchronous standby")
	case m.running():
		return sdk.Active("replica")
	case m.known:
		return sdk.Maintenance("PostgreSQL is %s", m.observed.State)
	default:
		return sdk.Maintenance("starting PostgreSQL")
	}
}
