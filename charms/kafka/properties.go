package kafka

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gantry-orchestrator/gantry/charms/kafka/internal/operate"
	"github.com/gantry-orchestrator/gantry/charms/sdk"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// listener is one of the places where a node listens.
type listener struct {
	name     string
	port     int
	protocol string // as Kafka names it
	mutual   bool   // who comes shows a certificate
	nodes    bool   // for nodes, with their common password; else for clients
	of       string // for whom, in words
}

// listeners are those of a cluster, whatever the roles.
func (c cluster) listeners() (controller, internal listener, clients []listener) {
	if !c.TLS {
		return listener{name: "CONTROLLER", port: controllerPort, protocol: "SASL_PLAINTEXT", nodes: true, of: "nodes"},
			listener{name: "INTERNAL", port: internalPort, protocol: "SASL_PLAINTEXT", nodes: true, of: "brokers"},
			[]listener{{name: "CLIENT", port: plainPort, protocol: "SASL_PLAINTEXT", of: "clients with a password"}}
	}
	return listener{name: "CONTROLLER", port: controllerPort, protocol: "SASL_SSL", mutual: true, nodes: true, of: "nodes"},
		listener{name: "INTERNAL", port: internalPort, protocol: "SASL_SSL", mutual: true, nodes: true, of: "brokers"},
		[]listener{
			{name: "CLIENT_TLS", port: tlsPort, protocol: "SASL_SSL", of: "clients with a password"},
			{name: "CLIENT_MUTUAL", port: mutualPort, protocol: "SSL", mutual: true, of: "clients with a certificate"},
		}
}

// clientPort is where clients with a password are sent.
func (c cluster) clientPort() int {
	if c.TLS {
		return tlsPort
	}
	return plainPort
}

// serves are the listeners of this node.
func (n *node) serves() []listener {
	controller, internal, clients := n.cluster.listeners()
	var all []listener
	if n.settings.controller {
		all = append(all, controller)
	}
	if n.settings.broker {
		all = append(append(all, internal), clients...)
	}
	return all
}

// properties are what a running node needs a restart to take up. They hold no
// secret.
func (n *node) properties() []string {
	roles := []string{}
	if n.settings.broker {
		roles = append(roles, "broker")
	}
	if n.settings.controller {
		roles = append(roles, "controller")
	}
	var at, protocols []string
	for _, l := range n.serves() {
		at = append(at, l.name+"://"+address(n.in.Spec.Address, l.port))
	}
	controller, internal, clients := n.cluster.listeners()
	for _, l := range append([]listener{controller, internal}, clients...) {
		protocols = append(protocols, l.name+":"+l.protocol)
	}
	lines := []string{
		"process.roles=" + strings.Join(roles, ","), fmt.Sprint("node.id=", n.id()),
		"log.dirs=" + n.dataDir(), "metadata.log.dir=" + n.metadataDir(),
		"listeners=" + strings.Join(at, ","), "listener.security.protocol.map=" + strings.Join(protocols, ","),
		"controller.listener.names=CONTROLLER",
		"sasl.mechanism.controller.protocol=PLAIN",
		"authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer", "super.users=User:" + operate.Member,
		"broker.session.timeout.ms=9000", "broker.heartbeat.interval.ms=2000",
		"initial.broker.registration.timeout.ms=600000", // as long as controllers may take to come up
	}
	if n.settings.broker {
		lines = append(lines, "inter.broker.listener.name=INTERNAL", "sasl.mechanism.inter.broker.protocol=PLAIN",
			"group.initial.rebalance.delay.ms=500", "controlled.shutdown.enable=true")
	}
	if n.cluster.TLS {
		lines = append(lines, "ssl.keystore.type=PEM", "ssl.keystore.location="+n.configFile(certFile),
			"ssl.truststore.type=PEM", "ssl.truststore.location="+n.configFile(trustFile))
		for _, l := range n.serves() {
			if l.mutual {
				lines = append(lines, "listener.name."+strings.ToLower(l.name)+".ssl.client.auth=required")
			}
		}
	}
	return append(lines, n.settings.lines...)
}

// movable are properties that are right for the next start, whenever it comes:
// how many nodes there are needs no restart of those that run.
func (n *node) movable() []string {
	replicas := factor(n.in.Spec.Planned)
	if !n.settings.broker {
		replicas = factor(3)
	}
	seeds := slices.Sorted(slices.Values(n.controllers()))
	return []string{
		"controller.quorum.bootstrap.servers=" + strings.Join(seeds, ","),
		fmt.Sprint("default.replication.factor=", replicas), fmt.Sprint("min.insync.replicas=", minimum(replicas)),
		fmt.Sprint("offsets.topic.replication.factor=", replicas),
		fmt.Sprint("transaction.state.log.replication.factor=", replicas), fmt.Sprint("transaction.state.log.min.isr=", minimum(replicas)),
		fmt.Sprint("share.coordinator.state.topic.replication.factor=", replicas), fmt.Sprint("share.coordinator.state.topic.min.isr=", minimum(replicas)),
	}
}

// passwords are the properties by which nodes, and clients, are let in.
func (n *node) passwords() effect.Content {
	content := sdk.Text()
	controller, internal, clients := n.cluster.listeners()
	for _, l := range append([]listener{controller, internal}, clients...) {
		prefix := "listener.name." + strings.ToLower(l.name) + "."
		switch {
		case l.nodes:
			content = sdk.Text(content, prefix, "sasl.enabled.mechanisms=PLAIN\n", prefix, "plain.sasl.jaas.config=", n.login(`user_`+operate.Member), "\n")
		case l.protocol != "SSL":
			content = sdk.Text(content, prefix, "sasl.enabled.mechanisms=SCRAM-SHA-512\n", prefix,
				"scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;\n")
		}
	}
	return content
}

// login is how a node makes itself known, and by which key others are.
func (n *node) login(known string) effect.Content {
	password := sdk.Secret(n.password, "password")
	content := sdk.Text("org.apache.kafka.common.security.plain.PlainLoginModule required username=\"", operate.Member, "\" password=\"", password, `"`)
	if known != "" {
		content = sdk.Text(content, " ", known, "=\"", password, `"`)
	}
	return sdk.Text(content, ";")
}

// tools is the configuration with which the distribution's own tools
// administer the cluster, at the ports of nodes.
func (n *node) tools() effect.Content {
	controller, _, _ := n.cluster.listeners()
	content := sdk.Text("security.protocol=", controller.protocol, "\nsasl.mechanism=PLAIN\nsasl.jaas.config=", n.login(""), "\n")
	if n.cluster.TLS {
		content = sdk.Text(content, "ssl.keystore.type=PEM\nssl.keystore.location=", n.configFile(certFile),
			"\nssl.truststore.type=PEM\nssl.truststore.location=", n.configFile(trustFile), "\n")
	}
	return content
}
