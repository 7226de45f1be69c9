package dataintegrator

import (
	"context"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/gantry-orchestrator/gantry/charms/interfaces"
	"github.com/gantry-orchestrator/gantry/charms/sdk"
	"github.com/gantry-orchestrator/gantry/charms/sdk/sdktest"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

var builtin = sdk.Builtin{Name: "data-integrator", Files: Files, Charm: Charm{}}

const user = "secret:00000000000000000000000000000001"

// provider is a Kafka that has answered.
func provider() sdktest.Remote {
	return sdktest.Remote{
		Endpoint: "kafka", Application: "kafka",
		Bag:     interfaces.KafkaTopic{Topic: "telemetry", Endpoints: []string{"10.0.0.9:9092"}, User: user, GroupPrefix: "relation-1-"}.Bag(),
		Secrets: []effect.Secret{{ID: user, Name: "relation-1", Revision: 1, Fields: []string{"username", "password"}}},
	}
}

func scenario() sdktest.Scenario {
	return sdktest.Scenario{Units: 2, Config: map[string]any{"topic-name": "telemetry"}, Remotes: []sdktest.Remote{provider()}}
}

func TestTheCharmKeepsWhatEveryCharmMust(t *testing.T) { sdktest.Check(t, builtin, scenario()) }

func TestWhatIsAskedForIsInTheRelation(t *testing.T) {
	m := sdktest.New(t, builtin, scenario())
	m.Settle()
	request, asked := interfaces.ParseKafkaRequest(m.ApplicationBag("kafka"))
	if !asked || request.Topic != "telemetry" || len(request.Roles) != 2 {
		t.Errorf("it asks for %+v", request)
	}
}

func TestWithoutATopicOrARelationItSaysWhatToDo(t *testing.T) {
	for name, s := range map[string]sdktest.Scenario{
		"gantry config":    {Remotes: []sdktest.Remote{provider()}},
		"gantry integrate": {Config: map[string]any{"topic-name": "telemetry"}},
	} {
		m := sdktest.New(t, builtin, s)
		m.Settle()
		if got := m.Unit(0).Status(); got.Level != model.Blocked || !strings.Contains(got.Message, name) {
			t.Errorf("expected %q, the status is %v", name, got)
		}
	}
}

func TestCredentialsAreJSONThatTheActionShows(t *testing.T) {
	text := ""
	topic, _ := interfaces.ParseKafkaTopic(provider().Bag)
	for _, s := range credentials(topic, effect.Secret{ID: user}, effect.Secret{}) {
		if s.Secret != nil {
			s.Text = `"the ` + s.Secret.Field + `"` // as the agent fills it in
		}
		text += s.Text
	}
	dir := t.TempDir()
	in := effect.Input{Host: effect.Host{Config: dir}}
	if err := os.WriteFile(file(in), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	given, err := Charm{}.RunAction(context.Background(), effect.Invocation{Name: "get-credentials", Input: in})
	if err != nil || given["password"] != "the password" || given["endpoints"] != "10.0.0.9:9092" {
		b, _ := json.Marshal(given)
		t.Errorf("%v: %s", err, b)
	}
}
