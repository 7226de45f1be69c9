package interfaces

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// KafkaClient is the interface of a topic and who uses it.
const KafkaClient = "kafka_client"

// KafkaRole is what a client of a topic may do.
type KafkaRole string

// The roles of a client of a topic.
const (
	KafkaAdmin    KafkaRole = "admin"
	KafkaProducer KafkaRole = "producer"
	KafkaConsumer KafkaRole = "consumer"
)

var kafkaClient = Schema{
	Interface: KafkaClient, Version: 1,
	Provider: Side{Application: []Key{
		{Name: "topic", Required: true, Doc: "the topic that was made", Check: isTopic},
		{Name: "endpoints", Required: true, Doc: "brokers to begin with, HOST:PORT separated by commas", Check: isEndpoints},
		{Name: "secret-user", Required: true, Doc: "the secret with username and password", Check: isSecret},
		{Name: "secret-tls", Doc: "the secret with tls and tls-ca", Check: isSecret},
		{Name: "consumer-group-prefix", Doc: "how names of its consumer groups begin"},
	}},
	Requirer: Side{Application: []Key{
		{Name: "topic", Required: true, Doc: "the topic that is wanted", Check: isTopic},
		{Name: "extra-user-roles", Doc: "what it does with it: admin, producer, consumer, separated by commas", Check: isKafkaRoles},
		{Name: "consumer-group-prefix", Doc: "how names of its consumer groups begin"},
		{Name: "requested-secrets", Doc: "which secrets it can read, as a JSON list", Check: isJSONList},
		{Name: "secret-mtls", Doc: "the secret with its own certificate", Check: isSecret},
	}},
}

// KafkaRequest is what a requirer of kafka_client asks for.
type KafkaRequest struct {
	Topic       string
	Roles       []KafkaRole
	GroupPrefix string
	Certificate string // ID of the secret with its own certificate, or ""
}

// Bag is the request as the requirer's application writes it.
func (r KafkaRequest) Bag() map[string]string {
	roles := make([]string, 0, len(r.Roles))
	for _, role := range r.Roles {
		roles = append(roles, string(role))
	}
	return said(map[string]string{
		"topic": r.Topic, "extra-user-roles": strings.Join(roles, ","), "consumer-group-prefix": r.GroupPrefix,
		"requested-secrets": `["username","password","tls","tls-ca"]`, "secret-mtls": r.Certificate,
	})
}

// ParseKafkaRequest reads a requirer's application bag; false where it asks
// for nothing yet.
func ParseKafkaRequest(bag map[string]string) (KafkaRequest, bool) {
	r := KafkaRequest{Topic: bag["topic"], GroupPrefix: bag["consumer-group-prefix"], Certificate: bag["secret-mtls"]}
	for _, role := range split(bag["extra-user-roles"]) {
		r.Roles = append(r.Roles, KafkaRole(role))
	}
	return r, r.Topic != ""
}

// KafkaTopic is what a provider of kafka_client offers.
type KafkaTopic struct {
	Topic       string
	Endpoints   []string // HOST:PORT of brokers
	User        string   // ID of the secret with username and password
	TLS         string   // ID of the secret with tls and tls-ca, or ""
	GroupPrefix string
}

// Bag is the topic as the provider's application writes it.
func (k KafkaTopic) Bag() map[string]string {
	return said(map[string]string{
		"topic": k.Topic, "endpoints": strings.Join(k.Endpoints, ","), "secret-user": k.User, "secret-tls": k.TLS,
		"consumer-group-prefix": k.GroupPrefix,
	})
}

// ParseKafkaTopic reads a provider's application bag; false where the topic is
// not ready to be used yet.
func ParseKafkaTopic(bag map[string]string) (KafkaTopic, bool) {
	k := KafkaTopic{
		Topic: bag["topic"], Endpoints: split(bag["endpoints"]), User: bag["secret-user"], TLS: bag["secret-tls"],
		GroupPrefix: bag["consumer-group-prefix"],
	}
	return k, k.Topic != "" && len(k.Endpoints) > 0 && k.User != ""
}

// topicName is what Kafka takes as a topic; its own two limits are the length
// and that a name is not "." or "..". The length is no part of the expression:
// every process of gantry would pay for it when it starts.
var topicName = regexp.MustCompile(`^[a-zA-Z0-9._-]+$`)

func isTopic(value string) error {
	if !topicName.MatchString(value) || len(value) > 249 || value == "." || value == ".." {
		return fmt.Errorf("%q: expected a topic of at most 249 letters, digits, dots, dashes and underscores", value)
	}
	return nil
}

func isKafkaRoles(value string) error {
	known := []KafkaRole{KafkaAdmin, KafkaProducer, KafkaConsumer}
	for _, role := range split(value) {
		if !slices.Contains(known, KafkaRole(role)) {
			return fmt.Errorf("%q: expected admin, producer or consumer", role)
		}
	}
	return nil
}
