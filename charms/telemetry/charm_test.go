package telemetry

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gantry-orchestrator/gantry/charms/telemetry/internal/program"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/charm"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

const secretID = "secret:00000000000000000000000000000001"

// input is that of a leader whose database is ready.
func input(directory string) effect.Input {
	return effect.Input{
		Spec: effect.Spec{
			Unit: model.UnitName{Application: "telemetry", Number: 0}, Address: "10.0.0.9",
			Life: model.Alive, ApplicationLife: model.Alive,
			Config: map[string]any{"rate": 200.0, "apids": "100, 101", "spacecraft": int64(42)},
			Relations: []effect.Relation{{
				ID: 3, Endpoint: "database", Interface: "postgresql_client", Life: model.Alive, Remote: "postgresql",
				Bag: map[string]string{
					"database": "telemetry", "secret-user": secretID,
					"endpoints": "10.0.0.2:5432", "read-only-endpoints": "10.0.0.3:5432,10.0.0.1:5432",
				},
			}},
			Secrets: []effect.Secret{{ID: secretID, Name: "relation-3", Owner: "postgresql", Fields: []string{"password", "username"}}},
		},
		Live: effect.Live{Leader: true},
		Host: effect.Host{Data: directory + "/data", Config: directory, Program: []string{"/bin/program", "run"}, Superuser: true},
	}
}

func reconcile(t *testing.T, in effect.Input) effect.Desired {
	t.Helper()
	want := Charm{}.Reconcile(in)
	if err := want.Validate(); err != nil {
		t.Fatalf("desired is not valid: %v", err)
	}
	return want
}

// write writes the desired files as an agent would, their secrets filled in.
func write(t *testing.T, want effect.Desired) {
	t.Helper()
	fill := map[string]string{"username": `"re\"l"`, "password": "pass word"}
	for _, f := range want.Files {
		if f.Dir {
			if err := os.MkdirAll(f.Path, 0o700); err != nil {
				t.Fatal(err)
			}
			continue
		}
		var text strings.Builder
		for _, s := range f.Content {
			if s.Secret != nil {
				text.WriteString(fill[s.Secret.Field])
			} else {
				text.WriteString(s.Text)
			}
		}
		if err := os.WriteFile(f.Path, []byte(text.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTheCharmsMetadataIsValid(t *testing.T) {
	c, err := charm.Read("charms/telemetry", Files)
	if err != nil {
		t.Fatal(err)
	}
	var actions []string
	for _, a := range c.Actions {
		actions = append(actions, string(a.Name))
	}
	slices.Sort(actions)
	if diff := cmp.Diff([]string{"audit", "count"}, actions); diff != "" {
		t.Errorf("actions (-want +got):\n%s", diff)
	}
}

func TestTheProgramTakesTheConfigurationThatTheCharmWrites(t *testing.T) {
	directory := t.TempDir()
	in := input(directory)
	write(t, reconcile(t, in))
	text, err := os.ReadFile(configFile(in))
	if err != nil {
		t.Fatal(err)
	}
	want := `source: telemetry/0
spacecraft: 42
apids: [100, 101]
rate: 200
ledger: "DIR/data/ledger/ledger"
listen: "10.0.0.9:9464"
archive:
  endpoints: ["10.0.0.1:5432", "10.0.0.2:5432", "10.0.0.3:5432"]
  user: "re\"l"
  password-file: "DIR/telemetry/password"
  database: "telemetry"
`
	if diff := cmp.Diff(strings.ReplaceAll(want, "DIR", directory), string(text)); diff != "" {
		t.Errorf("configuration (-want +got):\n%s", diff)
	}
	// The configuration is good when the audit comes as far as the ledger.
	err = program.AuditConfigured(t.Context(), configFile(in), &strings.Builder{}, &strings.Builder{})
	if !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), filepath.Join(directory, "data", "ledger")) {
		t.Errorf("error %v, want that there is no ledger yet", err)
	}
}

func TestAFailoverOrAnOptionNeverRestartsTheService(t *testing.T) {
	in := input("/etc")
	before := reconcile(t, in).Services
	database := &in.Spec.Relations[0]
	database.Bag = maps.Clone(database.Bag)
	database.Bag["endpoints"], database.Bag["read-only-endpoints"] = "10.0.0.3:5432", "10.0.0.1:5432,10.0.0.2:5432"
	if diff := cmp.Diff(reconcile(t, input("/etc")).Files, reconcile(t, in).Files); diff != "" {
		t.Errorf("a failover changes files:\n%s", diff)
	}
	in.Spec.Config["rate"], in.Spec.Config["apids"], in.Spec.Config["spacecraft"] = 7.5, "9", int64(2)
	after := reconcile(t, in)
	if diff := cmp.Diff(before, after.Services); diff != "" {
		t.Errorf("options change the service:\n%s", diff)
	}
	for _, f := range after.Files {
		if !f.Dir && (!slices.Contains(after.Services[0].ReloadOn, f.ID) || slices.Contains(after.Services[0].RestartOn, f.ID)) {
			t.Errorf("a change of %s does not reload the service", f.ID)
		}
	}
}

func TestAPoolOnTheUnitsMachineGoesBeforeTheMembers(t *testing.T) {
	in := input("/etc")
	in.Spec.Relations[0].Units = []effect.Remote{
		{Unit: model.UnitName{Application: "pgbouncer", Number: 1}, Address: "10.0.0.8", Bag: map[string]string{"endpoints": "10.0.0.8:6432"}},
		{Unit: model.UnitName{Application: "pgbouncer", Number: 0}, Address: "10.0.0.9", Bag: map[string]string{"endpoints": "10.0.0.9:6432"}},
	}
	if got := endpointsOf(in, in.Spec.Relations[0]); !slices.Equal(got, []string{"10.0.0.9:6432"}) {
		t.Errorf("endpoints %v, want the pool beside the unit", got)
	}
}

func TestReconcileSaysWhatIsMissing(t *testing.T) {
	for name, test := range map[string]struct {
		change  func(*effect.Input)
		level   model.Level
		partial bool
	}{
		"nothing, once the program answers": {func(in *effect.Input) {
			in.Facts = map[effect.ProbeID]effect.Fact{healthProbe: {Value: "200"}}
		}, model.Active, false},
		"an answer of the program": {func(*effect.Input) {}, model.Maintenance, false},
		"a relation, without which the service ends": {func(in *effect.Input) {
			in.Spec.Relations = nil
		}, model.Blocked, false},
		"a relation that is not going": {func(in *effect.Input) {
			in.Spec.Relations[0].Life = model.Dying
		}, model.Blocked, false},
		"the login, and nothing is undone": {func(in *effect.Input) {
			in.Spec.Secrets = nil
		}, model.Waiting, true},
		"the endpoints, and nothing is undone": {func(in *effect.Input) {
			in.Spec.Relations[0].Bag = map[string]string{"secret-user": secretID}
		}, model.Waiting, true},
		"a rate above zero": {func(in *effect.Input) {
			in.Spec.Config["rate"] = 0.0
		}, model.Blocked, true},
		"APIDs that are numbers": {func(in *effect.Input) {
			in.Spec.Config["apids"] = "1,x"
		}, model.Blocked, true},
		"an APID that is not idle's": {func(in *effect.Input) {
			in.Spec.Config["apids"] = "2047"
		}, model.Blocked, true},
		"a spacecraft of 16 bits": {func(in *effect.Input) {
			in.Spec.Config["spacecraft"] = int64(65536)
		}, model.Blocked, true},
		"a ledger of ours": {func(in *effect.Input) {
			in.Facts = map[effect.ProbeID]effect.Fact{effect.VolumeFact + effect.ProbeID(volumeID): {Value: effect.VolumeForeign}}
		}, model.Blocked, true},
	} {
		t.Run(name, func(t *testing.T) {
			in := input("/etc")
			test.change(&in)
			got := reconcile(t, in)
			if got.Status.Level != test.level || (got.Partial != "") != test.partial {
				t.Errorf("status %+v and partial %q, want %v and partial %v", got.Status, got.Partial, test.level, test.partial)
			}
		})
	}
}

func TestWaitingNamesWhomAndWhatToDo(t *testing.T) {
	in := input("/etc")
	in.Spec.Secrets = nil
	in.Spec.Relations[0].Remote = "pgbouncer"
	if said := reconcile(t, in).Status.Message; !strings.Contains(said, "for pgbouncer") || !strings.Contains(said, "gantry status pgbouncer") {
		t.Errorf("says %q", said)
	}
}

func TestOnlyTheLeaderAsksForTheDatabase(t *testing.T) {
	in := input("/etc")
	if bags := reconcile(t, in).Bags; len(bags) != 1 || !bags[0].Application || bags[0].Data["database"] != "telemetry" {
		t.Errorf("the leader publishes %+v", bags)
	}
	in.Live.Leader = false
	if bags := reconcile(t, in).Bags; len(bags) != 0 {
		t.Errorf("another unit publishes %+v", bags)
	}
}
