package telemetry

import (
	"path"
	"slices"
	"strings"
	"time"

	"github.com/gantry-orchestrator/gantry/charms/interfaces"
	"github.com/gantry-orchestrator/gantry/charms/sdk"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

const (
	topicName    = "telemetry"
	archiverPort = 9465

	archiverID    effect.ID      = "service/archiver"
	archiverProbe effect.ProbeID = "archiver/health"
)

// stream is the topic that packets go through on their way to the archive,
// where Kafka is related.
type stream struct {
	related bool
	remote  model.ApplicationName
	topic   interfaces.KafkaTopic
	login   effect.Secret
	trust   effect.Secret // whom to trust; the zero Secret where brokers are plain
	offered bool          // all of it is there
}

// stream asks for the topic, and is what Kafka offers.
func (s *sender) stream() stream {
	r, related := sdk.Relation(s.in, "kafka-client")
	if !related {
		return stream{}
	}
	if s.in.Live.Leader {
		s.b.PublishApplication(r.ID, interfaces.KafkaRequest{
			Topic: topicName, Roles: []interfaces.KafkaRole{interfaces.KafkaProducer, interfaces.KafkaConsumer},
		}.Bag())
	}
	topic, offered := interfaces.ParseKafkaTopic(r.Bag)
	out := stream{related: true, remote: r.Remote, topic: topic}
	if !offered {
		return out
	}
	var granted bool
	if out.login, granted = sdk.SecretByID(s.in, topic.User); !granted {
		return out
	}
	if topic.TLS != "" {
		if out.trust, granted = sdk.SecretByID(s.in, topic.TLS); !granted {
			return out
		}
	}
	out.offered = true
	return out
}

// secure reports whether the brokers speak TLS.
func (t stream) secure() bool { return t.trust.ID != "" }

// command is what the service runs: packets go to the topic, or else into the
// archive.
func (t stream) command() string {
	if t.related {
		return "produce"
	}
	return "serve"
}

// section is the topic's part of the program's configuration, and the files
// that it names.
func (s *sender) section(t stream, file func(string, effect.Content) effect.ID) (text effect.Content, files []effect.ID) {
	if !t.related {
		return nil, nil
	}
	brokers := slices.Sorted(slices.Values(t.topic.Endpoints))
	text = sdk.Text(
		"archiver: ", quoted(sdk.HostPort(s.in, archiverPort)), "\n",
		"topic:\n",
		"  name: ", quoted(t.topic.Topic), "\n",
		"  brokers: [", strings.Join(quotedAll(brokers), ", "), "]\n",
		"  user: ", sdk.Encoded(t.login, "username", effect.Quoted), "\n",
		"  password-file: ", quoted(path.Join(s.configDir(), "topic-password")), "\n")
	files = append(files, file("topic-password", sdk.Text(sdk.Secret(t.login, "password"), "\n")))
	if t.secure() {
		text = sdk.Text(text, "  ca-file: ", quoted(path.Join(s.configDir(), "topic-ca.pem")), "\n")
		files = append(files, file("topic-ca.pem", sdk.Text(sdk.Secret(t.trust, "tls-ca"), "\n")))
	}
	return text, files
}

// archiver is the service that takes packets from the topic into the archive.
// Each unit has one; one of them works at a time.
func (s *sender) archiver(files []effect.ID) {
	s.b.Probe(effect.Probe{
		ID: archiverProbe, Interval: 2 * time.Second,
		HTTP: &effect.HTTPProbe{URL: "http://" + sdk.HostPort(s.in, archiverPort) + "/healthz"},
	})
	s.b.Service(effect.Service{
		ID:       archiverID,
		Command:  append(slices.Clone(s.in.Host.Program), "archive", "--config", configFile(s.in)),
		User:     s.user(),
		Uses:     files,
		ReloadOn: files,
		Health:   archiverProbe,
		Healthy:  "200",
	})
	s.b.Port(archiverPort)
}
