package interfaces_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/gantry-orchestrator/gantry/charms/interfaces"
)

const handle = "secret:0123456789abcdef0123456789abcdef"

func TestPostgreSQLClientBags(t *testing.T) {
	provider := func(data map[string]string) interfaces.Bag {
		return interfaces.Bag{Interface: "postgresql_client", Provider: true, Application: true, Data: data}
	}
	requirer := func(data map[string]string) interfaces.Bag {
		return interfaces.Bag{Interface: "postgresql_client", Application: true, Data: data}
	}
	for _, tt := range []struct {
		name string
		bag  interfaces.Bag
		want string // part of the error, or "" for a valid bag
	}{
		{"an empty bag says nothing yet", provider(nil), ""},
		{"a whole database is valid", provider(map[string]string{"database": "app", "endpoints": "10.0.0.1:5432,[fd00::1]:5432", "secret-user": handle, "version": "15.8"}), ""},
		{"a request needs only the database", requirer(map[string]string{"database": "telemetry-archive"}), ""},
		{"an optional key may be empty", provider(map[string]string{"database": "app", "endpoints": "h:1", "secret-user": handle, "read-only-endpoints": ""}), ""},
		{"an interface without a schema takes any keys", interfaces.Bag{Interface: "beacon", Data: map[string]string{"x": "y"}}, ""},
		{"a required key must be there", provider(map[string]string{"database": "app", "secret-user": handle}), `key "endpoints" is missing: where it takes reads and writes`},
		{"an unknown key is refused, the known listed", requirer(map[string]string{"database": "app", "databse": "x"}), `unknown key "databse": expected database, requested-secrets`},
		{"an endpoint has a port", provider(map[string]string{"database": "app", "endpoints": "10.0.0.1", "secret-user": handle}), `"10.0.0.1": expected HOST:PORT`},
		{"a password is no handle", provider(map[string]string{"database": "app", "endpoints": "h:1", "secret-user": "hunter2"}), "expected the handle of a secret"},
		{"a database's name is one", requirer(map[string]string{"database": `x"; drop table`}), "expected a name of at most 63"},
		{"requested secrets are a list", requirer(map[string]string{"database": "app", "requested-secrets": "username"}), "expected a JSON list"},
		{"connectivity is true or false", requirer(map[string]string{"database": "app", "external-node-connectivity": "yes"}), "expected true or false"},
		{"units of a requirer write nothing", interfaces.Bag{Interface: "postgresql_client", Data: map[string]string{"database": "app"}}, "expected no keys here"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := interfaces.Validate(tt.bag)
			switch {
			case tt.want == "" && err != nil:
				t.Fatalf("refused: %v", err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Fatalf("got %v, wanted %q", err, tt.want)
			case err != nil && strings.Contains(err.Error(), "hunter2"):
				t.Fatalf("the message repeats what may be a secret: %v", err)
			}
		})
	}
}

func TestAllMistakesAreListed(t *testing.T) {
	err := interfaces.Validate(interfaces.Bag{Interface: "postgresql_client", Application: true, Data: map[string]string{"a": "", "b": ""}})
	if err == nil || strings.Count(err.Error(), "\n") != 2 {
		t.Fatalf("two unknown keys and a missing one: %v", err)
	}
}

func TestTypedBagsReadBackAndAreValid(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		host := rapid.StringMatching(`[a-z]{1,8}:[1-9][0-9]{0,3}`)
		d := interfaces.PostgreSQLDatabase{
			Database:          rapid.StringMatching(`[a-z_]{1,20}`).Draw(t, "database"),
			Endpoints:         rapid.SliceOfN(host, 1, 3).Draw(t, "endpoints"),
			ReadOnlyEndpoints: rapid.SliceOfN(host, 0, 3).Draw(t, "read only"),
			User:              handle,
			Version:           rapid.SampledFrom([]string{"", "15.8"}).Draw(t, "version"),
		}
		if len(d.ReadOnlyEndpoints) == 0 {
			d.ReadOnlyEndpoints = nil
		}
		back, ready := interfaces.ParsePostgreSQLDatabase(d.Bag())
		if diff := cmp.Diff(d, back); diff != "" || !ready {
			t.Fatal(ready, diff)
		}
		if err := interfaces.Validate(interfaces.Bag{Interface: interfaces.PostgreSQLClient, Provider: true, Application: true, Data: d.Bag()}); err != nil {
			t.Fatal(err)
		}
		r := interfaces.PostgreSQLRequest{Database: d.Database, ExtraUserRoles: []string{"a", "b"}}
		asked, ok := interfaces.ParsePostgreSQLRequest(r.Bag())
		if diff := cmp.Diff(r, asked); diff != "" || !ok {
			t.Fatal(ok, diff)
		}
		if err := interfaces.Validate(interfaces.Bag{Interface: interfaces.PostgreSQLClient, Application: true, Data: r.Bag()}); err != nil {
			t.Fatal(err)
		}
	})
}
