package kafka

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gantry-orchestrator/gantry/charms/sdk"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// cluster is what all nodes of a cluster share. Where its controllers are, it
// is a record, so that the first commit wins and no change of leader can found
// a second one; brokers apart are told by them.
type cluster struct {
	ID      string         `json:"id"`
	Founder model.UnitName `json:"founder"`
	Address string         `json:"address"`
	TLS     bool           `json:"tls,omitempty"` // to clients and between nodes, for good

	controllers []string // HOST:PORT of controllers, those of another application
}

const (
	foundingRecord = "founding"
	begunRecord    = "begun"
	memberSecret   = "member"
)

// join makes the cluster's identity where controllers are, or takes it from
// those who are, and says what is waited for until all of it is known.
func (n *node) join() (waits string) {
	if !n.settings.controller {
		return n.follow()
	}
	secret, minted := sdk.SecretNamed(n.in, memberSecret)
	n.password = secret
	text, founded := sdk.RecordOf(n.in, effect.ApplicationScope, foundingRecord)
	founded = founded && json.Unmarshal([]byte(text), &n.cluster) == nil
	if n.in.Live.Leader {
		n.mint()
	}
	_, certified := sdk.Relation(n.in, "certificates")
	switch {
	case !minted:
		return "for the leader to make the nodes' password"
	case founded:
		return ""
	case n.settings.tls == tlsRequired && !certified:
		return n.askForCertificates()
	case n.in.Live.Leader:
		n.found(certified && n.settings.tls != tlsOff)
	}
	return "for the leader to name the founder"
}

// mint makes the password of nodes; brokers of another application read it.
func (n *node) mint() {
	spec := effect.SecretSpec{Name: memberSecret, Scope: effect.ApplicationScope, Fields: map[string]effect.SecretField{"password": {Random: 32}}}
	for _, r := range sdk.Relations(n.in, "peer-cluster-orchestrator") {
		spec.Grants = append(spec.Grants, r.ID)
	}
	n.b.Secret(spec)
}

// found names this unit, which leads, as the one that begins.
func (n *node) found(tls bool) {
	c := cluster{ID: clusterID(n.in), Founder: n.in.Spec.Unit, Address: n.in.Spec.Address, TLS: tls}
	b, err := json.Marshal(c)
	if err != nil {
		panic("kafka: the founding does not encode: " + err.Error())
	}
	n.b.Record(effect.ApplicationScope, foundingRecord, string(b))
}

// clusterID keeps nodes of different clusters apart, should one ever reach the
// other. The record makes it final.
func clusterID(in effect.Input) string {
	sum := sha256.Sum256([]byte(fmt.Sprint(in.Spec.Model, "/", in.Spec.Unit, "@", in.Spec.Address, "@", in.Now.UTC().Format(time.RFC3339Nano))))
	return "_" + base64.RawURLEncoding.EncodeToString(sum[:16])[1:] // a dash in front would be an option to Kafka's tools
}

// follow takes the cluster from the application of its controllers.
func (n *node) follow() (waits string) {
	r, related := sdk.Relation(n.in, "peer-cluster")
	if !related {
		return "for controllers: run gantry integrate " + string(n.in.Spec.Unit.Application) + ":peer-cluster CONTROLLERS:peer-cluster-orchestrator"
	}
	secret, granted := sdk.SecretByID(n.in, r.Bag["secret-member"])
	if r.Bag["cluster-id"] == "" || !granted {
		return "for " + string(r.Remote) + " to found the cluster"
	}
	n.password = secret
	n.cluster = cluster{ID: r.Bag["cluster-id"], TLS: r.Bag["tls"] == "true", controllers: strings.Split(r.Bag["controllers"], ",")}
	return ""
}

// orchestrate tells brokers of other applications which cluster they join.
func (n *node) orchestrate() {
	if !n.in.Live.Leader || !n.settings.controller {
		return
	}
	for _, r := range sdk.Relations(n.in, "peer-cluster-orchestrator") {
		n.b.PublishApplication(r.ID, map[string]string{
			"cluster-id": n.cluster.ID, "tls": fmt.Sprint(n.cluster.TLS), "secret-member": n.password.ID,
			"controllers": strings.Join(n.controllers(), ","),
		}, serviceID)
	}
}

func (n *node) founds() bool { return n.settings.controller && n.cluster.Founder == n.in.Spec.Unit }

// controllers are where controllers listen: the unit's own first, so that
// whoever asks them reaches the nearest, then those of its application that
// are there.
func (n *node) controllers() []string {
	if !n.settings.controller {
		return n.cluster.controllers
	}
	own := address(n.in.Spec.Address, controllerPort)
	all := []string{own}
	add := func(host string) {
		if at := address(host, controllerPort); !slices.Contains(all, at) {
			all = append(all, at)
		}
	}
	for _, p := range sdk.Peers(n.in) {
		if p.Address != "" {
			add(p.Address)
		}
	}
	if n.cluster.Founder == n.in.Spec.Unit || len(all) == 1 {
		add(n.cluster.Address)
	}
	return all
}

// brokers are where brokers listen for each other: the unit's own first, but
// for one that leaves, then those of its application that serve.
func (n *node) brokers() []string {
	var all []string
	if n.settings.broker && !n.leaving() {
		all = append(all, address(n.in.Spec.Address, internalPort))
	}
	for _, p := range n.members() {
		all = append(all, address(p.Address, internalPort))
	}
	return all
}

// members are the peers that have served: those who stay first.
func (n *node) members() []effect.Remote {
	all := slices.DeleteFunc(sdk.Peers(n.in), func(p effect.Remote) bool { return p.Bag["node"] == "" || p.Address == "" })
	slices.SortStableFunc(all, func(a, b effect.Remote) int { return int(a.Life) - int(b.Life) })
	return all
}

// publish says that this unit's node serves, and records that it has.
func (n *node) publish() {
	if n.known && !n.begun && !n.lost {
		n.b.Record(effect.UnitScope, begunRecord, fmt.Sprint(n.id()))
	}
	if n.peers.ID == 0 {
		return
	}
	bag := map[string]string{}
	for k, v := range sdk.Published(n.in, n.peers.ID).Unit {
		bag[k] = v // what is unknown now was true when it was published
	}
	switch {
	case n.lost || n.left():
		delete(bag, "node")
	case n.serving():
		bag["node"] = fmt.Sprint(n.id())
	}
	n.b.Publish(n.peers.ID, bag)
}
