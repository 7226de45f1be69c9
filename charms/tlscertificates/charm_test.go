package tlscertificates

import (
	"strings"
	"testing"
	"time"

	"github.com/gantry-orchestrator/gantry/charms/interfaces"
	"github.com/gantry-orchestrator/gantry/charms/sdk"
	"github.com/gantry-orchestrator/gantry/charms/sdk/sdktest"
	"github.com/gantry-orchestrator/gantry/charms/tlscertificates/requirer"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

var builtin = sdk.Builtin{Name: "tls-certificates", Files: Files, Charm: Charm{}}

// csr is a request for a name and an address.
func csr(t *testing.T, name, address string) string {
	t.Helper()
	text, ok := requirer.Simulate(effect.Exec{Call: "tls-request", Args: map[string]effect.Content{
		"name": sdk.Text(name), "names": sdk.Text(name), "addresses": sdk.Text(address),
	}})
	if !ok {
		t.Fatal("the requirer has no such call")
	}
	return text
}

// asking is a related application whose unit 0, at 10.0.0.101, asks for this.
func asking(request string, trusts ...string) sdktest.Scenario {
	bag := interfaces.CertificateRequestsBag([]interfaces.CertificateRequest{{CSR: request, Trusts: trusts}})
	return sdktest.Scenario{Units: 2, Remotes: []sdktest.Remote{
		{Endpoint: "certificates", Application: "etcd", Units: []map[string]string{bag}},
		{Endpoint: "send-ca-cert", Application: "app"},
	}}
}

func settled(t *testing.T, s sdktest.Scenario) *sdktest.Model {
	t.Helper()
	m := sdktest.New(t, builtin, s)
	m.Settle()
	return m
}

func TestTheCharmKeepsWhatEveryCharmMust(t *testing.T) {
	s := asking(csr(t, "etcd-0", "10.0.0.101"))
	s.Changes = []map[string]any{{"certificate-validity": int64(30)}}
	sdktest.Check(t, builtin, s)
}

func TestWhatNamesItsOwnUnitIsSigned(t *testing.T) {
	request := csr(t, "etcd-0", "10.0.0.101")
	m := settled(t, asking(request))
	if _, signed := interfaces.ParseIssuedCertificate(m.ApplicationBag("certificates"), request); !signed {
		t.Errorf("%s: %v", m.Unit(0).Status().Message, m.ApplicationBag("certificates"))
	}
	if n := len(interfaces.ParseTrusted(m.ApplicationBag("send-ca-cert"))); n != 1 {
		t.Errorf("%d authorities are to be trusted", n)
	}
}

func TestWhatNamesAnotherIsRefusedWithTheReason(t *testing.T) {
	for name, c := range map[string]struct{ name, address, reason string }{
		"a foreign address": {"etcd-0", "10.0.0.7", "10.0.0.7"},
		"a foreign name":    {"postgresql-0", "10.0.0.101", "postgresql-0"},
	} {
		t.Run(name, func(t *testing.T) {
			request := csr(t, c.name, c.address)
			m := settled(t, asking(request))
			if _, signed := interfaces.ParseIssuedCertificate(m.ApplicationBag("certificates"), request); signed {
				t.Error("it is signed")
			}
			if said := m.Unit(0).Status().Message; !strings.Contains(said, "etcd/0 is refused") || !strings.Contains(said, c.reason) {
				t.Errorf("the status says %q", said)
			}
		})
	}
}

func TestACertificateIsRenewedAfterTwoThirdsOfItsLife(t *testing.T) {
	request := csr(t, "etcd-0", "10.0.0.101")
	m := settled(t, asking(request))
	first, _ := interfaces.ParseIssuedCertificate(m.ApplicationBag("certificates"), request)
	a := authority{in: effect.Input{}, b: &sdk.Builder{}}
	q := signedOnce(first.Certificate)
	a.signer.Number = 1
	a.in.Now = q.issued.From.Add(time.Hour)
	a.renew(q)
	early := a.b.Done(model.Status{})
	if !early.Revisit.Equal(q.issued.renewal()) || !strings.HasSuffix(string(early.Tasks[0].ID), "-1-1") {
		t.Errorf("it comes back at %v and wants %s", early.Revisit, early.Tasks[0].ID)
	}
	a.b, a.in.Now = &sdk.Builder{}, q.issued.renewal()
	a.renew(q)
	if due := a.b.Done(model.Status{}); !strings.HasSuffix(string(due.Tasks[0].ID), "-1-2") {
		t.Errorf("when it is due it wants %s", due.Tasks[0].ID)
	}
}

// signedOnce is a request that was signed once, for 90 days.
func signedOnce(certificate string) request {
	from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	return request{digest: "d", round: 1, issued: &issued{Certificate: certificate, Generation: 1, From: from, Until: from.Add(90 * day)}}
}

func TestARotationEndsWithTheNewAuthorityAlone(t *testing.T) {
	request := csr(t, "etcd-0", "10.0.0.101")
	m := settled(t, asking(request)) // by one of another make, who never says what it has taken up
	trust := func() []string { return interfaces.ParseTrusted(m.ApplicationBag("send-ca-cert")) }
	old := trust()[0]
	before, _ := interfaces.ParseIssuedCertificate(m.ApplicationBag("certificates"), request)
	m.Open("rotate-ca", nil)
	m.Settle()
	if now := trust(); m.Stage() != "" || len(now) != 1 || now[0] == old {
		t.Fatalf("at stage %q these are trusted: %v", m.Stage(), now)
	}
	if after, signed := interfaces.ParseIssuedCertificate(m.ApplicationBag("certificates"), request); !signed || after.Certificate == before.Certificate {
		t.Error("the certificate was not signed anew")
	}
}

func TestAStageOfARotationWaitsForWhoSaysWhatItHasTakenUp(t *testing.T) {
	const next, leaf = "the new authority", "the new certificate"
	both := []string{requirer.Fingerprint("the old authority"), requirer.Fingerprint(next)}
	byNext := &issued{Certificate: leaf, Generation: 2}
	for name, c := range map[string]struct {
		stage   string
		q       request
		reached bool
	}{
		"trust: it has yet to take anything up":      {stageTrust, request{trusts: []string{}}, false},
		"trust: it trusts the old authority alone":   {stageTrust, request{trusts: both[:1]}, false},
		"trust: it trusts both":                      {stageTrust, request{trusts: both}, true},
		"trust: it never says":                       {stageTrust, request{}, true},
		"reissue: the new one has signed for nobody": {stageReissue, request{trusts: both, issued: &issued{Generation: 1}}, false},
		"reissue: it shows its old certificate":      {stageReissue, request{trusts: both, issued: byNext, shows: "old"}, false},
		"reissue: it shows its new certificate":      {stageReissue, request{trusts: both, issued: byNext, shows: requirer.Fingerprint(leaf)}, true},
		"reissue: it never says":                     {stageReissue, request{issued: byNext}, true},
		"reissue: it is refused":                     {stageReissue, request{trusts: both, refused: "why"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			a := authority{b: &sdk.Builder{}, next: generation{Number: 2, Certificate: next}}
			a.in.Live.Order = &effect.Order{Name: rotateOrder, Stage: c.stage}
			if reached := a.stageReached([]request{c.q}); reached != c.reached {
				t.Errorf("reached: %v", reached)
			}
		})
	}
}

func TestARevokedCertificateIsTakenBack(t *testing.T) {
	request := csr(t, "etcd-0", "10.0.0.101")
	m := settled(t, asking(request))
	m.Open("revoke", map[string]string{"unit": "etcd/0"})
	m.Settle()
	if _, signed := interfaces.ParseIssuedCertificate(m.ApplicationBag("certificates"), request); signed || m.Stage() != "" {
		t.Errorf("it is still given, stage %q", m.Stage())
	}
}
