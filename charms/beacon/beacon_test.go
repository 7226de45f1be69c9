package beacon_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/gantry-orchestrator/gantry/charms/beacon"
	"github.com/gantry-orchestrator/gantry/charms/sdk"
	"github.com/gantry-orchestrator/gantry/charms/sdk/sdktest"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

var builtin = sdk.Builtin{Name: "beacon", Files: beacon.Files, Charm: beacon.Charm{}}

func watching() sdktest.Scenario {
	return sdktest.Scenario{
		Units: 3,
		Remotes: []sdktest.Remote{
			{Endpoint: "watch", Application: "lighthouse", Units: []map[string]string{{"message": "here"}, {}}},
			{Endpoint: "light", Application: "keeper", Units: []map[string]string{{}}},
		},
		Changes: []map[string]any{{"message": "fog"}, {"interval": int64(0)}, {"message": "clear", "interval": int64(5)}},
		Faults:  1,
	}
}

func TestBeaconKeepsWhatEveryCharmMust(t *testing.T) {
	sdktest.Check(t, builtin, watching())
}

func TestBeaconIsWellFormed(t *testing.T) {
	if err := sdktest.Lint(builtin); err != nil {
		t.Fatal(err)
	}
}

func TestBeaconsSeeEachOther(t *testing.T) {
	m := sdktest.New(t, builtin, watching())
	m.Settle()
	m.Golden("watching")
	if got := m.Unit(0).Status().Message; got != "3 of 3 up, sees 1 of lighthouse" {
		t.Fatalf("status %q", got)
	}
	m.RemoveUnit(1)
	m.Settle()
	if got := m.Unit(0).Status().Message; !strings.HasPrefix(got, "2 of 2 up") {
		t.Fatalf("after a unit left: %q", got)
	}
}

func TestAMessageIsReloadedAndAnIntervalRestarts(t *testing.T) {
	for _, tt := range []struct {
		option string
		value  any
		want   effect.StepKind
	}{
		{"message", "fog", effect.Reload},
		{"interval", int64(3), effect.Restart},
	} {
		t.Run(tt.option, func(t *testing.T) {
			m := sdktest.New(t, builtin, sdktest.Scenario{})
			m.Settle()
			m.Unit(0).Forget()
			m.Configure(map[string]any{tt.option: tt.value})
			m.Settle()
			var did []effect.StepKind
			for _, s := range m.Unit(0).Done() {
				if s.ID == "service/light" {
					did = append(did, s.Kind)
				}
			}
			if !slices.Equal(did, []effect.StepKind{tt.want}) {
				t.Fatalf("the service saw %v, wanted one %s", did, tt.want)
			}
		})
	}
}

func TestABeaconPublishesOnlyOnceItIsLit(t *testing.T) {
	m := sdktest.New(t, builtin, watching())
	m.Settle()
	steps := m.Unit(0).Done()
	started := slices.IndexFunc(steps, func(s effect.Step) bool { return s.Kind == effect.Start })
	published := slices.IndexFunc(steps, func(s effect.Step) bool { return s.Kind == effect.Publish })
	if started < 0 || published < started {
		t.Fatalf("started at %d, published at %d", started, published)
	}
	if m.Unit(0).Status().Level != model.Active {
		t.Fatal("not active")
	}
}
