package kafka

import (
	"testing"

	"github.com/gantry-orchestrator/gantry/charms/sdk"
	"github.com/gantry-orchestrator/gantry/charms/sdk/sdktest"
)

var builtin = sdk.Builtin{Name: "kafka", Files: Files, Charm: Charm{}}

func TestTheCharmKeepsWhatEveryCharmMust(t *testing.T) {
	sdktest.Check(t, builtin, sdktest.Scenario{
		Units: 2, Faults: 1,
		Remotes: []sdktest.Remote{
			{Endpoint: "kafka-client", Application: "app", Bag: map[string]string{"topic": "telemetry", "extra-user-roles": "producer,consumer"}, Units: []map[string]string{{}}},
			{Endpoint: "metrics-endpoint", Application: "prometheus"},
		},
		Changes: []map[string]any{{"message-max-bytes": int64(2000000)}, {"version": "4.0"}},
	})
}
