package postgresql

import (
	"testing"

	"github.com/gantry-orchestrator/gantry/charms/sdk"
	"github.com/gantry-orchestrator/gantry/charms/sdk/sdktest"
)

var builtin = sdk.Builtin{Name: "postgresql", Files: Files, Charm: Charm{}}

func TestTheCharmKeepsWhatEveryCharmMust(t *testing.T) {
	sdktest.Check(t, builtin, sdktest.Scenario{
		Units: 3, Config: map[string]any{"profile": "testing"}, Faults: 1,
		Changes: []map[string]any{{"max_connections": int64(150)}, {"work_mem": "8MB"}, {"max_connections": int64(120), "shared_buffers": "64MB"}},
	})
}
