package kafka

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gantry-orchestrator/gantry/charms/interfaces"
	"github.com/gantry-orchestrator/gantry/charms/sdk"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// clients serves the relations of the endpoint kafka-client: a topic and a
// user for each, who may do what it asked for, dropped when the relation goes.
// The topic stays: its records are not the relation's.
func (n *node) clients() {
	if !n.in.Live.Leader || !n.settings.broker {
		return
	}
	for _, r := range sdk.Relations(n.in, "kafka-client") {
		request, asked := interfaces.ParseKafkaRequest(r.Bag)
		switch published := sdk.Published(n.in, r.ID).Application; {
		case r.Life != model.Alive:
			n.drop(r)
		case asked:
			n.client(r, request)
		case len(published) > 0:
			n.b.PublishApplication(r.ID, published) // what was asked for before is still granted
		}
	}
}

// userOf is the user of a relation's client.
func userOf(r effect.Relation) string { return fmt.Sprintf("relation-%d", r.ID) }

func (n *node) client(r effect.Relation, request interfaces.KafkaRequest) {
	user := userOf(r)
	n.b.Secret(effect.SecretSpec{
		Name: user, Scope: effect.ApplicationScope, Grants: []model.RelationID{r.ID},
		Fields: map[string]effect.SecretField{"username": {Content: sdk.Text(user)}, "password": {Random: 32}},
	})
	login, made := sdk.SecretNamed(n.in, user)
	trusted, certified := n.trusted(r)
	if !made || !certified || !n.serving() {
		if published := sdk.Published(n.in, r.ID).Application; len(published) > 0 {
			n.b.PublishApplication(r.ID, published) // it stays true for clients that connect again
		}
		return
	}
	if request.GroupPrefix == "" {
		request.GroupPrefix = user + "-"
	}
	roles := make([]string, 0, len(request.Roles))
	for _, role := range request.Roles {
		roles = append(roles, string(role))
	}
	slices.Sort(roles)
	replicas := factor(n.in.Spec.Planned)
	asked := fmt.Sprint(request.Topic, " ", roles, " ", request.GroupPrefix, " ", replicas)
	done := n.b.Task(effect.Task{
		ID: effect.ID("task/client-" + fmt.Sprint(r.ID)), Key: sdk.Digest(asked), Scope: effect.ApplicationScope,
		Run: effect.Exec{Call: callClient, User: n.user(), Args: n.args(
			"user", user, "user-password", sdk.Text(sdk.Secret(login, "password")), "topic", request.Topic,
			"user-roles", strings.Join(roles, ","), "group", request.GroupPrefix,
			"partitions", n.settings.partitions, "factor", replicas, "minimum", minimum(replicas),
		)},
		After: []effect.ID{serviceID}, Idempotent: true, Timeout: 5 * time.Minute,
	})
	n.b.PublishApplication(r.ID, interfaces.KafkaTopic{
		Topic: request.Topic, Endpoints: n.endpoints(), User: login.ID, TLS: trusted, GroupPrefix: request.GroupPrefix,
	}.Bag(), done)
}

// endpoints are where clients with a password reach the brokers that stay.
func (n *node) endpoints() []string {
	all := []string{address(n.in.Spec.Address, n.cluster.clientPort())}
	for _, p := range n.members() {
		if p.Life == model.Alive {
			all = append(all, address(p.Address, n.cluster.clientPort()))
		}
	}
	slices.Sort(all)
	return all
}

// trusted is the secret with the authorities that a client is to trust, ""
// without TLS.
func (n *node) trusted(r effect.Relation) (id string, made bool) {
	if !n.cluster.TLS {
		return "", true
	}
	return n.tls.Offer(n.in, n.b, r)
}

func (n *node) drop(r effect.Relation) {
	if !n.serving() {
		n.b.Hold(n.in.Spec.Unit, "the user %s is dropped once the node serves", userOf(r))
		return
	}
	n.b.Task(effect.Task{
		ID: effect.ID("task/drop-" + fmt.Sprint(r.ID)), Key: "dropped", Scope: effect.ApplicationScope,
		Run:        effect.Exec{Call: callDrop, Args: n.args("user", userOf(r)), User: n.user()},
		Idempotent: true, Timeout: time.Minute,
	})
}
