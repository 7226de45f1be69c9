// Package kafka is the charm of Apache Kafka 4 with its own quorum of
// controllers. Its promises: one controller founds the cluster, others vote
// only once they have caught up, one member at a time comes or goes, a node
// restarts only while no partition lacks a replica, the active controller
// last, and a node whose data was lost does not come back under its number.
//
// It is pure; what touches the software is in internal/operate.
package kafka

import (
	"fmt"

	"github.com/gantry-orchestrator/gantry/charms/sdk"
	"github.com/gantry-orchestrator/gantry/charms/tlscertificates/requirer"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// Charm answers for the nodes of a Kafka cluster.
type Charm struct{}

// The ids of what the charm wants and observes.
const (
	serviceID = effect.ID("service/kafka")
	volumeID  = effect.ID("volume/data")
	formatID  = effect.ID("task/format")

	nodeProbe   = effect.ProbeID("kafka/node")
	healthProbe = effect.ProbeID("kafka/health")
	memberProbe = effect.ProbeID("kafka/member")
	openProbe   = effect.ProbeID("kafka/open")
	tracesProbe = effect.ProbeID("kafka/traces")
)

// The ports of a node.
const (
	plainPort      = 9092 // clients with a password
	tlsPort        = 9093 // clients with a password, over TLS
	mutualPort     = 9094 // clients with a certificate
	controllerPort = 9098
	metricsPort    = 9101
	internalPort   = 19093 // brokers, and those who administer them
)

// Reconcile implements sdk.Charm.
func (Charm) Reconcile(in effect.Input) effect.Desired {
	n := newNode(in)
	var problem error
	if n.settings, problem = parseSettings(in); problem != nil {
		n.b.Partial("%v", problem)
		return n.b.Done(sdk.Blocked("%v", problem))
	}
	uses := n.software()
	if waits := n.join(); waits != "" {
		return n.wait(waits)
	}
	volume, known := sdk.Volume(in, volumeID)
	if known && volume.Foreign {
		n.b.Partial("the data directory holds data that is not ours")
		return n.b.Done(sdk.Blocked("%s holds data that is not ours: move it away, or remove this unit", n.home()))
	}
	n.lost = n.begun && known && volume.Empty
	uses = append(uses, n.directories(uses)...)
	if waits := n.certify(); waits != "" {
		return n.wait(waits)
	}
	uses = append(uses, n.files(uses)...)
	uses = append(uses, n.format(uses))
	n.service(uses)
	n.probes()
	n.metrics()
	n.publish()
	if n.leaving() {
		return n.b.Done(n.depart())
	}
	if n.lost {
		return n.b.Done(sdk.Blocked("the data of node %d is gone, so that it must not start: run gantry remove-unit %s and gantry add-unit %s",
			n.id(), in.Spec.Unit, in.Spec.Unit.Application))
	}
	n.vote()
	n.replicate()
	n.clients()
	n.orchestrate()
	return n.b.Done(n.status())
}

// node is one unit's view while Reconcile runs.
type node struct {
	in       effect.Input
	b        *sdk.Builder
	settings settings
	peers    effect.Relation
	cluster  cluster
	begun    bool          // it has served before, so that it must not start on nothing
	lost     bool          // its data is gone though it has begun
	password effect.Secret // of nodes to each other
	tls      requirer.Certificate
	observed nodeStatus
	known    bool // observed is known
	healthy  bool // it serves, and has all that it should have
}

// nodeStatus is what a node says of itself.
type nodeStatus struct {
	Leader int  `json:"leader"`           // the active controller
	Voter  bool `json:"voter,omitempty"`  // it has a vote among the controllers
	Broker bool `json:"broker,omitempty"` // brokers know it as one of them
}

func newNode(in effect.Input) *node {
	n := &node{in: in, b: &sdk.Builder{}}
	n.peers, _ = sdk.PeerRelation(in)
	n.observed, n.known = sdk.Fact[nodeStatus](in, nodeProbe)
	healthy, known := sdk.Fact[bool](in, healthProbe)
	n.healthy = known && healthy
	_, n.begun = sdk.RecordOf(in, effect.UnitScope, begunRecord)
	return n
}

// wait is the answer while something is missing that others make.
func (n *node) wait(waits string) effect.Desired {
	n.b.Partial("%s", waits)
	return n.b.Done(sdk.Waiting("%s", waits))
}

// brokersFrom keeps the numbers of brokers apart from those of controllers.
const brokersFrom = 100

// id is the node's number: for good, and no other node's.
func (n *node) id() int { return numberOf(n.in.Spec.Unit, n.settings) }

func numberOf(u model.UnitName, s settings) int {
	if s.controller {
		return u.Number
	}
	return u.Number + brokersFrom
}

// serving reports whether the node is known to do all that its roles say.
func (n *node) serving() bool {
	return n.known && n.healthy && (!n.settings.broker || n.observed.Broker) && (!n.settings.controller || n.observed.Voter)
}

func (n *node) leads() bool { return n.known && n.settings.controller && n.observed.Leader == n.id() }

func (n *node) leaving() bool { return sdk.Leaving(n.in) && !sdk.EndingWhole(n.in) }

// status says how the node fares.
func (n *node) status() model.Status {
	n.b.Version(n.settings.version)
	part, plain := "broker", ""
	switch {
	case n.leads():
		part = "active controller"
	case n.settings.controller && n.settings.broker:
		part = "broker and controller"
	case n.settings.controller:
		part = "controller"
	}
	if !n.cluster.TLS {
		plain = ", without TLS"
	}
	switch {
	case n.serving():
		return sdk.Active("%s%s", part, plain)
	case n.known && n.settings.controller && !n.observed.Voter:
		return sdk.Maintenance("observer: it votes once it has caught up")
	case n.known:
		return sdk.Maintenance("catching up")
	default:
		return sdk.Maintenance("starting Kafka")
	}
}

// address is where a node's listener is.
func address(host string, port int) string { return sdk.Join(host, port) }

func (n *node) String() string { return fmt.Sprint("node ", n.id()) }
