package pki

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/gantry-orchestrator/gantry/engine/client"
	"github.com/gantry-orchestrator/gantry/engine/wire"
	"github.com/gantry-orchestrator/gantry/model"
)

func signed(t *testing.T, a *Authority, hash string) []byte {
	t.Helper()
	s, err := a.NewCharmSigner("c", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	b, err := s.Sign(hash)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestACharmRunsOnlyWithTheSignatureOfItsOwnController(t *testing.T) {
	ours, other := opened(t, t.TempDir()), opened(t, t.TempDir())
	good := signed(t, ours, "h")
	if err := client.VerifyCharm(ours.PEM(), "h", good); err != nil {
		t.Errorf("signed: %v", err)
	}
	// An identity of the authority, but not for charms.
	key, certificate, _, err := ours.Issue(Agent, "x", time.Now(), 0)
	_ = key
	if err != nil {
		t.Fatal(err)
	}
	agent, err := parseCertificate(certificate)
	if err != nil {
		t.Fatal(err)
	}
	s, err := wire.ParseCharmSignature(good)
	if err != nil {
		t.Fatal(err)
	}
	borrowed, err := wire.CharmSignature{Certificate: agent.Raw, Signature: s.Signature}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	for rule, c := range map[string]struct {
		hash      string
		signature []byte
	}{
		"no signature":                          {"h", nil},
		"nonsense":                              {"h", []byte("{}")},
		"another charm's signature":             {"i", good},
		"another authority's signature":         {"h", signed(t, other, "h")},
		"the certificate of an agent beside it": {"h", borrowed},
	} {
		if err := client.VerifyCharm(ours.PEM(), c.hash, c.signature); !errors.Is(err, model.ErrDenied) {
			t.Errorf("%s: %v", rule, err)
		}
	}
	for i := range s.Signature {
		flipped := slices.Clone(s.Signature)
		flipped[i] ^= 1
		b, err := wire.CharmSignature{Certificate: s.Certificate, Signature: flipped}.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if client.VerifyCharm(ours.PEM(), "h", b) == nil {
			t.Fatalf("byte %d of the signature flipped: it passes", i)
		}
	}
}

func TestASignatureOutlivesTheCertificateOfItsKey(t *testing.T) {
	then := time.Now().Add(-3 * identityLife)
	a, err := OpenAuthority(t.TempDir(), then)
	if err != nil {
		t.Fatal(err)
	}
	s, err := a.NewCharmSigner("c", then.Add(2*backdated))
	if err != nil {
		t.Fatal(err)
	}
	b, err := s.Sign("h")
	if err != nil {
		t.Fatal(err)
	}
	if err := client.VerifyCharm(a.PEM(), "h", b); err != nil {
		t.Error(err)
	}
}
