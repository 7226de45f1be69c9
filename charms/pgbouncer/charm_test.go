package pgbouncer_test

import (
	"strings"
	"testing"

	"github.com/gantry-orchestrator/gantry/charms/interfaces"
	"github.com/gantry-orchestrator/gantry/charms/pgbouncer"
	"github.com/gantry-orchestrator/gantry/charms/pgbouncer/standalone"
	"github.com/gantry-orchestrator/gantry/charms/sdk"
	"github.com/gantry-orchestrator/gantry/charms/sdk/sdktest"
	"github.com/gantry-orchestrator/gantry/charms/tlscertificates/requirer"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

const loginID = "secret:00000000000000000000000000000007"

// pools are a scenario of units between a client and a database.
func pools(units int) sdktest.Scenario {
	return sdktest.Scenario{
		Units: units,
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

const trustID = "secret:00000000000000000000000000000008"

// encrypted are pools whose servers show certificates, with an authority that
// has signed the first pool's own.
func encrypted(t *testing.T) sdktest.Scenario {
	t.Helper()
	const authority, leaf = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n", "-----BEGIN CERTIFICATE-----\nMAE=\n-----END CERTIFICATE-----\n"
	s := pools(1)
	backend := &s.Remotes[1]
	backend.Bag["secret-tls"] = trustID
	backend.Secrets = append(backend.Secrets, effect.Secret{ID: trustID, Name: "trust-2", Revision: 1, Fields: []string{"tls", "tls-ca"}})
	const name = "pgbouncer-standalone-0"
	csr, ok := requirer.Simulate(effect.Exec{Call: "tls-request", Args: map[string]effect.Content{
		"name": sdk.Text(name), "names": sdk.Text(name, ",localhost,pgbouncer-standalone"), "addresses": sdk.Text("10.0.0.1,127.0.0.1"),
	}})
	if !ok {
		t.Fatal("the requirer has no such call")
	}
	s.Remotes = append(s.Remotes, sdktest.Remote{
		Endpoint: "certificates", Application: "tls-certificates", Units: []map[string]string{{}},
		Bag: interfaces.IssuedCertificatesBag([]interfaces.IssuedCertificate{{CA: authority, CSR: csr, Certificate: leaf}}),
	})
	return s
}

func TestAnEncryptedPoolKeepsWhatEveryCharmMust(t *testing.T) {
	sdktest.Check(t, alone, encrypted(t))
}

// ini is the pool's configuration.
func ini(m *sdktest.Model) string {
	for _, f := range m.Unit(0).Desired().Files {
		if strings.HasSuffix(f.Path, "pgbouncer.ini") {
			var b strings.Builder
			for _, part := range f.Content {
				b.WriteString(part.Text)
			}
			return b.String()
		}
	}
	return ""
}

func TestAPoolShowsItsCertificateAndKnowsItsServersByTheirs(t *testing.T) {
	m := sdktest.New(t, alone, encrypted(t))
	m.Settle()
	if m.ApplicationBag("database")["secret-tls"] == "" {
		t.Error("the client is not told whom to trust")
	}
	for _, line := range []string{"client_tls_sslmode = prefer\n", "server_tls_sslmode = verify-ca\n"} {
		if !strings.Contains(ini(m), line) {
			t.Errorf("%q is missing:\n%s", line, ini(m))
		}
	}
	m.Part("certificates")
	m.Settle()
	if m.ApplicationBag("database")["secret-tls"] != "" || strings.Contains(ini(m), "client_tls") {
		t.Errorf("a pool whose certificate is gone still offers it:\n%s", ini(m))
	}
}

func TestThePlanOfAnEncryptedPool(t *testing.T) {
	m := sdktest.New(t, alone, encrypted(t))
	m.Settle()
	m.Golden("encrypted")
}
