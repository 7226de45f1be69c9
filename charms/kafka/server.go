package kafka

import (
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/gantry-orchestrator/gantry/charms/sdk"
	"github.com/gantry-orchestrator/gantry/charms/tlscertificates/requirer"
	"github.com/gantry-orchestrator/gantry/model/effect"
	"github.com/gantry-orchestrator/gantry/model/software"
)

// user runs Kafka: one that every Debian has, as no package brings another, or
// the agent's own where it cannot change.
func (n *node) user() string {
	if n.in.Host.Superuser {
		return "daemon"
	}
	return n.in.Host.User
}

func (n *node) home() string        { return path.Join(n.in.Host.Data, "kafka") }
func (n *node) dataDir() string     { return path.Join(n.home(), "partitions") }
func (n *node) metadataDir() string { return path.Join(n.home(), "metadata") }
func (n *node) configDir() string   { return path.Join(n.in.Host.Config, "kafka") }

func (n *node) configFile(name string) string { return path.Join(n.configDir(), name) }

// The files of a node.
const (
	propertiesFile = "server.properties"
	settledFile    = "restart.key"
	loggingFile    = "log4j2.properties"
	exporterFile   = "exporter.yaml"
	toolsFile      = "admin.properties"
	passwordFile   = "member.password"
	certFile       = "node.pem"
	trustFile      = "trust.pem"
)

const (
	settledID = effect.ID("file/" + settledFile)
	certID    = effect.ID("file/" + certFile)
	trustID   = effect.ID("file/" + trustFile)
)

// software is Java, Kafka and what measures it.
func (n *node) software() []effect.ID {
	return []effect.ID{n.b.Package("openjdk-17-jre-headless"), n.b.Software(n.settings.software), n.b.Software(exporter)}
}

// libs is the class path of a release.
func (n *node) libs() string {
	return path.Join(sdk.SoftwareDir(n.in, n.settings.software), software.Libs, "*")
}

// directories are those that the files and the service need.
func (n *node) directories(after []effect.ID) []effect.ID {
	volume := n.b.Volume(effect.Volume{
		ID: volumeID, Path: n.home(), Owner: n.user(), Group: n.user(), Incarnation: "kafka", After: after,
	})
	return []effect.ID{
		n.b.Dir(effect.File{Path: n.configDir(), Mode: 0o750, Owner: n.user(), Group: n.user(), After: after}), volume,
	}
}

func (n *node) askForCertificates() string {
	return "for certificates: run gantry integrate " + string(n.in.Spec.Unit.Application) + ":certificates tls-certificates"
}

// certify asks for the node's certificate, and says what is waited for until
// there is one.
func (n *node) certify() (waits string) {
	if !n.cluster.TLS {
		return ""
	}
	r, related := sdk.Relation(n.in, "certificates")
	if !related {
		return n.askForCertificates()
	}
	var issued bool
	n.tls, issued = requirer.Request(n.in, n.b, r, requirer.Subject{
		Name: n.in.Spec.Unit.Dashed(), Addresses: []string{n.in.Spec.Address, "127.0.0.1"}, User: n.user(),
	}, serviceID, certID, trustID)
	if !issued {
		return "for " + string(r.Remote) + " to sign the node's certificate"
	}
	return ""
}

// files are what the node, actions and tools read.
func (n *node) files(after []effect.ID) []effect.ID {
	file := func(name string, mode uint32, content effect.Content) effect.ID {
		return n.b.File(effect.File{Path: n.configFile(name), Mode: mode, Owner: n.user(), Group: n.user(), Content: content, After: after})
	}
	fixed := strings.Join(n.properties(), "\n") + "\n"
	ids := []effect.ID{
		file(propertiesFile, 0o600, sdk.Text(fixed, strings.Join(n.movable(), "\n"), "\n", n.passwords())),
		file(settledFile, 0o644, sdk.Text(sdk.Digest(fixed), "\n")),
		file(loggingFile, 0o644, sdk.Text(logging)),
		file(exporterFile, 0o644, sdk.Text(exported)),
		file(toolsFile, 0o600, n.tools()),
		file(passwordFile, 0o600, sdk.Text(sdk.Secret(n.password, "password"))),
	}
	if n.cluster.TLS {
		ids = append(ids, file(certFile, 0o600, sdk.Text(n.tls.Key(), n.tls.Leaf)), file(trustFile, 0o644, sdk.Text(n.tls.Trust)))
	}
	return ids
}

// logging has Kafka write what matters to its standard output, which the
// supervisor keeps.
const logging = `status=error
appender.out.type=Console
appender.out.name=out
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=%d %p %c{1}: %m%n
rootLogger.level=warn
rootLogger.appenderRef.out.ref=out
logger.server.name=kafka.server
logger.server.level=info
logger.raft.name=org.apache.kafka.raft
logger.raft.level=info
`

// format prepares the node's directories, once: the founder's with a quorum of
// itself, a later controller's for one that it follows. A done format is never
// repeated, so that no node begins anew on lost data.
func (n *node) format(after []effect.ID) effect.ID {
	command := []string{
		"/usr/bin/java", "-Xmx128m", "-cp", n.libs(), "kafka.tools.StorageTool", "format", "-g",
		"-t", n.cluster.ID, "-c", n.configFile(propertiesFile),
	}
	switch {
	case n.founds():
		command = append(command, "--standalone")
	case n.settings.controller:
		command = append(command, "--no-initial-controllers")
	}
	return n.b.Task(effect.Task{
		ID: formatID, Key: n.cluster.ID, Run: effect.Exec{Command: command, User: n.user(), Dir: n.home()},
		After: after, Idempotent: true, Timeout: 5 * time.Minute,
	})
}

// service wants Kafka.
func (n *node) service(uses []effect.ID) {
	agent := path.Join(sdk.SoftwareDir(n.in, exporter), software.Libs, exporter.Jars[0].File())
	s := effect.Service{
		ID: serviceID, User: n.user(), Group: n.user(), Dir: n.home(),
		Command: []string{
			"/usr/bin/java", fmt.Sprintf("-Xms%dm", n.settings.heap), fmt.Sprintf("-Xmx%dm", n.settings.heap), "-server", "-XX:+UseG1GC",
			"-XX:MaxGCPauseMillis=20", "-XX:InitiatingHeapOccupancyPercent=35", "-XX:+ExplicitGCInvokesConcurrent", "-XX:+ExitOnOutOfMemoryError",
			"-Djava.awt.headless=true", "-Dlog4j2.configurationFile=" + n.configFile(loggingFile),
			"-javaagent:" + agent + "=" + sdk.HostPort(n.in, metricsPort) + ":" + n.configFile(exporterFile),
			"-cp", n.libs(), "kafka.Kafka", n.configFile(propertiesFile),
		},
		StopTimeout: time.Minute, Health: healthProbe, Uses: uses, Volume: volumeID, RestartOn: []effect.ID{settledID},
		Limits: effect.Limits{Files: 100000}, Stopped: n.lost || n.leaving() && n.left(),
	}
	if n.cluster.TLS {
		s.RestartOn = append(s.RestartOn, certID, trustID)
	}
	if !s.Stopped {
		s.Turn = n.restartTurn()
	}
	n.b.Service(s)
}

// restartTurn lets one node at a time restart, the active controller last. A
// node whose partitions lack a replica is not healthy, so that nobody is given
// the turn meanwhile.
func (n *node) restartTurn() *effect.Turn {
	t := &effect.Turn{Name: turnRestart, Limit: 1, Clear: memberProbe}
	if n.leads() {
		t.Rank = 1
	}
	return t
}

// probes look whether the node's port is open, which costs nothing, and ask
// what it takes a process to ask only then.
func (n *node) probes() {
	port := internalPort
	if !n.settings.broker {
		port = controllerPort
	}
	n.b.Probe(effect.Probe{ID: openProbe, Interval: time.Second, TCP: address(n.in.Spec.Address, port)})
	open, _ := sdk.Fact[bool](n.in, openProbe)
	interval := 5 * time.Second
	if open && !n.serving() {
		interval = time.Second // it comes up; whoever waits for it waits no longer
	}
	ask := func(id effect.ProbeID, call string) {
		n.b.Probe(effect.Probe{
			ID: id, Interval: interval, Timeout: 15 * time.Second, Fall: 2,
			Exec: &effect.Exec{Call: call, User: n.user(), Args: n.args()},
		})
	}
	ask(healthProbe, callHealthy)
	if open || n.known {
		ask(nodeProbe, callNode)
	}
	if sdk.Granted(n.in, turnRestart) || sdk.Granted(n.in, turnMembership) {
		ask(memberProbe, callMember) // releases the turn
	}
}

// args are the arguments of a call: where nodes are, and what it takes to be
// let in.
func (n *node) args(pairs ...any) map[string]effect.Content {
	out := map[string]effect.Content{
		"node": sdk.Text(n.id()), "cluster": sdk.Text(n.cluster.ID), "metadata": sdk.Text(n.metadataDir()),
		"roles":       sdk.Text(sdk.String(n.in, "roles")),
		"controllers": sdk.Text(strings.Join(n.controllers(), ",")), "brokers": sdk.Text(strings.Join(n.brokers(), ",")),
		"password": sdk.Text(sdk.Secret(n.password, "password")),
		"trust":    sdk.Text(n.tls.Trust), "cert": sdk.Text(n.tls.Leaf), "key": n.tls.Key(),
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		if content, ok := pairs[i+1].(effect.Content); ok {
			out[pairs[i].(string)] = content
			continue
		}
		out[pairs[i].(string)] = sdk.Text(pairs[i+1])
	}
	return out
}
