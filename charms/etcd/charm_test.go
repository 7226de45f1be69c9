package etcd

import (
	"testing"

	"github.com/gantry-orchestrator/gantry/charms/sdk"
	"github.com/gantry-orchestrator/gantry/charms/sdk/sdktest"
)

var builtin = sdk.Builtin{Name: "etcd", Files: Files, Charm: Charm{}}

func TestTheCharmKeepsWhatEveryCharmMust(t *testing.T) {
	sdktest.Check(t, builtin, sdktest.Scenario{
		Units: 3, Faults: 1,
		Remotes: []sdktest.Remote{
			{Endpoint: "etcd-client", Application: "app", Bag: map[string]string{"prefix": "/app/"}, Units: []map[string]string{{}}},
			{Endpoint: "metrics-endpoint", Application: "prometheus"},
		},
		Changes: []map[string]any{{"snapshot-count": int64(5000)}, {"auto-compaction-retention": "5m"}},
	})
}
