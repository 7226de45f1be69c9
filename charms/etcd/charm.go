// Package etcd is the charm of a highly available etcd 3.4. Its promises: one
// set of founders, who start at once, later members that join as learners one
// at a time, restarts with the leader last, and no member that returns with
// its data lost under the identity that it had.
//
// It is pure; what touches the software is in internal/operate.
package etcd

import (
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

// Charm answers for the members of an etcd cluster.
type Charm struct{}

// The ids of what the charm wants and observes.
const (
	serviceID = effect.ID("service/etcd")
	volumeID  = effect.ID("volume/data")

	statusProbe  = effect.ProbeID("etcd/status")
	healthProbe  = effect.ProbeID("etcd/health")
	refusedProbe = effect.ProbeID("etcd/refused")
	memberProbe  = effect.ProbeID("etcd/member")
	listedProbe  = effect.ProbeID("etcd/listed")
)

// The ports of a member.
const (
	clientPort  = 2379
	peerPort    = 2380
	metricsPort = 2381
)

// Reconcile implements sdk.Charm.
func (Charm) Reconcile(in effect.Input) effect.Desired {
	m := member{in: in, b: &sdk.Builder{}}
	m.peers, _ = sdk.PeerRelation(in)
	m.observe()
	var problem error
	if m.settings, problem = parseSettings(in); problem != nil {
		m.b.Partial("%v", problem)
		return m.b.Done(sdk.Blocked("%v", problem))
	}
	uses := []effect.ID{m.b.Package("etcd-server"), m.b.Package("etcd-client")}
	if waits := m.mint(); waits != "" {
		m.b.Partial("%s", waits)
		return m.b.Done(sdk.Waiting("%s", waits))
	}
	volume, known := sdk.Volume(in, volumeID)
	if known && volume.Foreign {
		m.b.Partial("the data directory holds data that is not ours")
		return m.b.Done(sdk.Blocked("%s holds data that is not ours: move it away, or remove this unit", m.home()))
	}
	m.lost = m.begun != "" && (known && volume.Empty || m.refused != "")

	uses = append(uses, m.directories(uses)...)
	if waits := m.certify(); waits != "" {
		m.b.Partial("%s", waits)
		return m.b.Done(sdk.Waiting("%s", waits))
	}
	uses = append(uses, m.files(uses)...)
	flags, waits := m.entry(uses)
	if waits != "" {
		m.b.Partial("%s", waits)
		return m.b.Done(sdk.Waiting("%s", waits))
	}
	m.probes()
	m.service(flags, uses)
	m.metrics()
	m.publishMember()
	if m.leaving() {
		return m.b.Done(m.depart())
	}
	m.clients()
	if m.lost {
		return m.b.Done(m.replace())
	}
	m.promote()
	m.authenticate()
	return m.b.Done(m.status())
}

// member is one unit's view while Reconcile runs.
type member struct {
	in       effect.Input
	b        *sdk.Builder
	settings settings
	peers    effect.Relation
	founding founding
	seat     int
	begun    string        // ID of the member that this seat began, or ""
	refused  string        // why the program did not start etcd, or ""
	lost     bool          // its data is gone though it began
	root     effect.Secret // password of the user root
	tls      requirer.Certificate
	observed memberStatus
	known    bool // observed is known
}

// memberStatus is what a member says of itself.
type memberStatus struct {
	ID      string `json:"header.member_id"`
	Leader  string `json:"leader"`
	Learner bool   `json:"isLearner"`
	Version string `json:"version"`
}

func (m *member) observe() {
	m.observed, m.known = sdk.Fact[memberStatus](m.in, statusProbe)
	m.known = m.known && m.observed.ID != ""
	m.refused, _ = sdk.Fact[string](m.in, refusedProbe)
	m.seat = currentSeat(m.in)
	m.begun, _ = sdk.RecordOf(m.in, effect.UnitScope, m.begunRecord())
}

// serving reports whether the member is known to answer with a quorum.
func (m *member) serving() bool {
	health, known := sdk.Fact[string](m.in, healthProbe)
	return m.known && known && health == "200"
}

func (m *member) leads() bool { return m.known && m.observed.Leader == m.observed.ID }

func (m *member) leaving() bool { return sdk.Leaving(m.in) && !sdk.EndingWhole(m.in) }

// status says how the member fares.
func (m *member) status() model.Status {
	if m.known {
		m.b.Version(m.observed.Version)
	}
	m.b.Port(clientPort)
	part, plain := "follower", ""
	switch {
	case m.leads():
		part = "leader"
	case m.observed.Learner:
		part = "learner"
	}
	if !m.founding.TLS {
		plain = ", without TLS"
	}
	switch {
	case m.serving() && !m.observed.Learner:
		return sdk.Active("%s%s", part, plain)
	case m.known && m.observed.Learner:
		return sdk.Maintenance("learner: it votes once it has caught up")
	case m.known:
		return sdk.Maintenance("without a quorum")
	default:
		return sdk.Maintenance("starting etcd")
	}
}

// peerURL is where other members reach one at an address.
func (f founding) peerURL(address string) string {
	return f.scheme() + "://" + sdk.Join(address, peerPort)
}

// clientURL is where clients reach a member.
func (f founding) clientURL(address string) string {
	return f.scheme() + "://" + sdk.Join(address, clientPort)
}

func (f founding) scheme() string {
	if f.TLS {
		return "https"
	}
	return "http"
}

// named is an entry of etcd's list of members.
func (f founding) named(u model.UnitName, address string) string {
	return fmt.Sprintf("%s=%s", u.Dashed(), f.peerURL(address))
}
