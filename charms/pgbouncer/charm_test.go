package pgbouncer_test

import (
	"strings"
	"testing"

	"github.com/gantry-orchestrator/gantry/charms/pgbouncer"
	"github.com/gantry-orchestrator/gantry/charms/pgbouncer/standalone"
	"github.com/gantry-orchestrator/gantry/charms/sdk"
	"github.com/gantry-orchestrator/gantry/charms/sdk/sdktest"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

const loginID = "secret:00000000000000000000000000000007"

// pools are a scenario of units between a client and a database.
func pools(units int) sdktest.Scenario {
	return sdktest.Scenario{
		Units: units, Facts: map[effect.ProbeID]string{"pgbouncer/listening": "true", "haproxy/listening": "true"},
		Remotes: []sdktest.Remote{
			{Endpoint: "database", Application: "app", Bag: map[string]string{"database": "app"}, Units: []map[string]string{{}}},
			{
				Endpoint: "backend-database", Application: "postgresql", Units: []map[string]string{{}, {}, {}},
				Bag:     map[string]string{"database": "app", "endpoints": "10.0.0.101:5432", "secret-user": loginID, "version": "15.1"},
				Secrets: []effect.Secret{{ID: loginID, Name: "relation-2", Revision: 1, Fields: []string{"password", "username"}}},
			},
		},
	}
}

var alone = sdk.Builtin{Name: "pgbouncer-standalone", Files: standalone.Files, Charm: pgbouncer.Charm{}}

func TestAPoolAloneKeepsWhatEveryCharmMust(t *testing.T) {
	s := pools(2)
	s.Changes = []map[string]any{{"pool_mode": "transaction"}, {"default_pool_size": int64(5)}}
	sdktest.Check(t, alone, s)
}

func TestEveryPoolAloneIsAnEndpoint(t *testing.T) {
	m := sdktest.New(t, alone, pools(3))
	m.Settle()
	bag := m.ApplicationBag("database")
	if n := strings.Count(bag["endpoints"], ":6432"); n != 3 || strings.Contains(bag["endpoints"], "localhost") {
		t.Errorf("three pools are published as %q", bag["endpoints"])
	}
	m.RemoveUnit(2)
	m.Settle()
	if n := strings.Count(m.ApplicationBag("database")["endpoints"], ":6432"); n != 2 {
		t.Errorf("two pools are published as %q", m.ApplicationBag("database")["endpoints"])
	}
}

func TestHAProxyFollowsEveryMember(t *testing.T) {
	m := sdktest.New(t, alone, pools(1))
	m.Settle()
	for _, f := range m.Unit(0).Desired().Files {
		if !strings.HasSuffix(f.Path, "haproxy.cfg") {
			continue
		}
		text := f.Content[0].Text
		if n := strings.Count(text, "check port 8008"); n != 6 || !strings.Contains(text, "OPTIONS /primary") {
			t.Errorf("three members behind two ports are checked %d times:\n%s", n, text)
		}
	}
}
