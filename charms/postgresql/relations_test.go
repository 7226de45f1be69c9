package postgresql

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gantry-orchestrator/gantry/charms/interfaces"
	"github.com/gantry-orchestrator/gantry/charms/sdk"
	"github.com/gantry-orchestrator/gantry/charms/sdk/sdktest"
	"github.com/gantry-orchestrator/gantry/charms/tlscertificates/requirer"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

const (
	loginID = "secret:00000000000000000000000000000007"
	trustID = "secret:00000000000000000000000000000008"
)

// etcdRemote is an etcd of three with TLS that has granted keys.
func etcdRemote() sdktest.Remote {
	return sdktest.Remote{
		Endpoint: "etcd", Application: "etcd", Units: []map[string]string{{}, {}, {}},
		Bag: interfaces.EtcdKeys{
			Endpoints: []string{"10.0.0.101:2379", "10.0.0.102:2379", "10.0.0.103:2379"}, Version: "3.4.23", User: loginID, TLS: trustID,
		}.Bag(),
		Secrets: []effect.Secret{
			{ID: loginID, Name: "relation-9", Revision: 1, Fields: []string{"password", "username"}},
			{ID: trustID, Name: "trust-9", Revision: 1, Fields: []string{"tls", "tls-ca"}},
		},
	}
}

// A certificate in PEM that nobody signed; the twin shows whatever it is given.
const (
	pemOfAuthority = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"
	pemOfLeaf      = "-----BEGIN CERTIFICATE-----\nMAE=\n-----END CERTIFICATE-----\n"
)

// authority has signed what units of a number ask for.
func authority(t *testing.T, units int) sdktest.Remote {
	t.Helper()
	var issued []interfaces.IssuedCertificate
	for n := range units {
		name := fmt.Sprintf("postgresql-%d", n)
		csr, ok := requirer.Simulate(effect.Exec{Call: "tls-request", Args: map[string]effect.Content{
			"name": sdk.Text(name), "names": sdk.Text(name, ",postgresql"), "addresses": sdk.Text("10.0.0.", n+1, ",127.0.0.1"),
		}})
		if !ok {
			t.Fatal("the requirer has no such call")
		}
		issued = append(issued, interfaces.IssuedCertificate{CA: pemOfAuthority, CSR: csr, Certificate: pemOfLeaf})
	}
	return sdktest.Remote{
		Endpoint: "certificates", Application: "tls-certificates", Units: []map[string]string{{}}, Bag: interfaces.IssuedCertificatesBag(issued),
	}
}

func client() sdktest.Remote {
	return sdktest.Remote{Endpoint: "database", Application: "app", Bag: map[string]string{"database": "app"}, Units: []map[string]string{{}}}
}

func TestWithEtcdAndCertificatesTheCharmKeepsWhatEveryCharmMust(t *testing.T) {
	sdktest.Check(t, builtin, sdktest.Scenario{
		Units: 3, Config: map[string]any{"profile": "testing"}, Faults: 1,
		Remotes: []sdktest.Remote{etcdRemote(), authority(t, 4), client()},
		Changes: []map[string]any{{"work_mem": "8MB"}},
	})
}

func TestARelatedEtcdHoldsTheConsensus(t *testing.T) {
	m := deployed(t, 3, nil, etcdRemote())
	prefix := m.ApplicationBag("etcd")["prefix"]
	for _, u := range m.Units() {
		text := wrote(t, u, "patroni.yml")
		for _, part := range []string{
			`etcd3: {hosts: ["10.0.0.101:2379","10.0.0.102:2379","10.0.0.103:2379"], protocol: https`, "username: <" + loginID,
			"namespace: \"" + strings.TrimSuffix(prefix, "/") + "/1\"", `"failsafe_mode":true`,
		} {
			if u.Name().Number != 0 && strings.Contains(part, "failsafe") {
				continue // the founder's alone
			}
			if !strings.Contains(text, part) {
				t.Errorf("%s lacks %s:\n%s", u.Name(), part, text)
			}
		}
		if strings.Contains(text, "raft:") {
			t.Errorf("%s has a consensus of its own too", u.Name())
		}
		if !strings.Contains(wrote(t, u, etcdCAFile), "<"+trustID+" tls-ca>") {
			t.Errorf("%s does not know etcd's authority", u.Name())
		}
	}
	m.AddUnit()
	m.Settle()
	m.RemoveUnit(1)
	m.Settle()
	if !ran(m.Unit(3), "task/join") || len(m.Units()) != 3 {
		t.Error("a member did not join, or one did not leave")
	}
}

func TestTheKindOfConsensusStays(t *testing.T) {
	for name, c := range map[string]struct {
		remotes []sdktest.Remote
		asked   string
		says    string
	}{
		"raft is not left for etcd":     {nil, "etcd", "founded with raft"},
		"etcd is not left for raft":     {[]sdktest.Remote{etcdRemote()}, "raft", "founded with etcd"},
		"the kind that it has is right": {[]sdktest.Remote{etcdRemote()}, "etcd", ""},
	} {
		t.Run(name, func(t *testing.T) {
			m := deployed(t, 1, nil, c.remotes...)
			before := wrote(t, m.Unit(0), "patroni.yml")
			m.Configure(map[string]any{"dcs": c.asked})
			m.Settle()
			status := m.Unit(0).Status()
			if blocked := status.Level == model.Blocked; blocked != (c.says != "") || !strings.Contains(status.Message, c.says) {
				t.Errorf("it is %v", status)
			}
			if c.says == "" && wrote(t, m.Unit(0), "patroni.yml") != before {
				t.Error("its configuration changed")
			}
		})
	}
}

func TestAClusterThatMustHaveEtcdWaitsForIt(t *testing.T) {
	m := deployed(t, 1, map[string]any{"dcs": "etcd"})
	if s := m.Unit(0).Status(); s.Level != model.Waiting || !strings.Contains(s.Message, "gantry integrate postgresql:etcd") {
		t.Errorf("it is %v", s)
	}
}

func TestClientsAreToldWhomToTrustOnceEveryMemberShowsACertificate(t *testing.T) {
	m := deployed(t, 3, nil, authority(t, 3), client())
	for _, u := range m.Units() {
		text := wrote(t, u, "patroni.yml")
		if !strings.Contains(text, `"ssl":"on"`) || strings.Count(text, "sslmode: verify-full") != 2 {
			t.Errorf("%s does not replicate over TLS:\n%s", u.Name(), text)
		}
		if !ran(u, showID) {
			t.Errorf("%s was not seen to show its certificate", u.Name())
		}
	}
	database, ready := interfaces.ParsePostgreSQLDatabase(m.ApplicationBag("database"))
	if !ready || database.TLS == "" {
		t.Errorf("the client is given %+v", database)
	}
	if bag := deployed(t, 1, nil, client()).ApplicationBag("database"); bag["secret-tls"] != "" {
		t.Errorf("without certificates a client is given %v", bag)
	}
}

// unrelated is what a member wants whose relation of certificates is gone.
func unrelated(t *testing.T, tls string) effect.Desired {
	t.Helper()
	m := deployed(t, 1, map[string]any{"tls": tls}, authority(t, 1))
	m.Part("certificates")
	m.Settle()
	return m.Unit(0).Desired()
}

func TestWithoutItsRelationAMemberGoesOnPlainUnlessTLSIsRequired(t *testing.T) {
	want := unrelated(t, tlsAuto)
	for _, f := range want.Files {
		if f.ID == certID || f.ID == caID || f.ID == "file/"+keyFile {
			t.Errorf("%s stays", f.ID)
		}
		if f.ID == patroniYML && strings.Contains(fmt.Sprint(f.Content), "ssl_cert_file") {
			t.Errorf("PostgreSQL is told of a certificate that is gone")
		}
	}
	if want.Partial != "" || want.Status.Level != model.Active {
		t.Errorf("it is %v, partial %q", want.Status, want.Partial)
	}
	if want = unrelated(t, tlsRequired); want.Partial == "" || want.Status.Level != model.Waiting {
		t.Errorf("though TLS is required it is %v", want.Status)
	}
}

func TestThePlanOfThreeMembersWithEtcdAndCertificates(t *testing.T) {
	deployed(t, 3, nil, etcdRemote(), authority(t, 3), client()).Golden("certified")
}
