// Package dataintegrator is a charm that stands for clients outside of the
// model: it asks for what they need, and shows what it was given.
//
// It is pure but for its action, which reads the file that holds it.
package dataintegrator

import (
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"os"
	"path"
	"strings"

	"github.com/gantry-orchestrator/gantry/charms/interfaces"
	"github.com/gantry-orchestrator/gantry/charms/sdk"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// Files holds the charm's metadata.
//
//go:embed charm.yaml
var Files embed.FS

// Charm answers for units that hold credentials.
type Charm struct{}

// Reconcile implements sdk.Charm.
func (Charm) Reconcile(in effect.Input) effect.Desired {
	b := &sdk.Builder{}
	request := interfaces.KafkaRequest{Topic: sdk.String(in, "topic-name"), GroupPrefix: sdk.String(in, "consumer-group-prefix")}
	for role := range strings.SplitSeq(sdk.String(in, "extra-user-roles"), ",") {
		request.Roles = append(request.Roles, interfaces.KafkaRole(strings.TrimSpace(role)))
	}
	r, related := sdk.Relation(in, "kafka")
	switch app := in.Spec.Unit.Application; {
	case request.Topic == "":
		return b.Done(sdk.Blocked("no topic is named: run gantry config %s topic-name=TOPIC", app))
	case !related:
		return b.Done(sdk.Blocked("not related: run gantry integrate %s:kafka kafka:kafka-client", app))
	case in.Live.Leader:
		b.PublishApplication(r.ID, request.Bag())
	}
	topic, ready := interfaces.ParseKafkaTopic(r.Bag)
	user, readable := sdk.SecretByID(in, topic.User)
	if !ready || !readable || topic.Topic != request.Topic {
		b.Partial("%s has given no credentials yet", r.Remote)
		return b.Done(sdk.Waiting("for %s to make the topic and a user", r.Remote))
	}
	trust, readable := sdk.SecretByID(in, topic.TLS)
	if topic.TLS != "" && !readable {
		b.Partial("%s has yet to say whom to trust", r.Remote)
		return b.Done(sdk.Waiting("for %s to say whom to trust", r.Remote))
	}
	b.File(effect.File{Path: file(in), Mode: 0o600, Content: credentials(topic, user, trust)})
	return b.Done(sdk.Active("credentials for %s", topic.Topic))
}

// file holds what the action shows.
func file(in effect.Input) string { return path.Join(in.Host.Config, "credentials.json") }

func credentials(topic interfaces.KafkaTopic, user, trust effect.Secret) effect.Content {
	quoted := func(s string) string {
		b, err := json.Marshal(s)
		if err != nil {
			panic("dataintegrator: a string does not encode: " + err.Error())
		}
		return string(b)
	}
	content := sdk.Text(`{"topic":`, quoted(topic.Topic), `,"endpoints":`, quoted(strings.Join(topic.Endpoints, ",")),
		`,"consumer-group-prefix":`, quoted(topic.GroupPrefix),
		`,"username":`, sdk.Encoded(user, "username", effect.Quoted), `,"password":`, sdk.Encoded(user, "password", effect.Quoted))
	if topic.TLS != "" {
		content = sdk.Text(content, `,"tls-ca":`, sdk.Encoded(trust, "tls-ca", effect.Quoted))
	}
	return sdk.Text(content, "}\n")
}

// RunAction implements sdk.ActionRunner.
func (Charm) RunAction(_ context.Context, action effect.Invocation) (map[string]string, error) {
	if action.Name != "get-credentials" {
		return nil, fmt.Errorf("action %q: %w", action.Name, model.ErrNotFound)
	}
	b, err := os.ReadFile(file(action.Input))
	if err != nil {
		return nil, fmt.Errorf("no credentials were given yet: %w: %w", err, model.ErrUnavailable)
	}
	given := map[string]string{}
	if err := json.Unmarshal(b, &given); err != nil {
		return nil, fmt.Errorf("read the credentials: %w: %w", err, model.ErrInvalid)
	}
	return given, nil
}
