package pki

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"net/url"
	"time"

	"github.com/gantry-orchestrator/gantry/engine/wire"
)

// CharmSigner vouches for charms with an ed25519 key. The key is made at each
// start and kept nowhere: the authority certifies it, and machines trust that.
type CharmSigner struct {
	key         ed25519.PrivateKey
	certificate []byte
}

// NewCharmSigner makes a key for a controller and certifies it for signing
// charms and for nothing else.
func (a *Authority) NewCharmSigner(id string, now time.Time) (*CharmSigner, error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a key for charms: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: serial(),
		Subject:      pkix.Name{CommonName: wire.CharmSigner + "/" + id},
		URIs:         []*url.URL{{Scheme: "gantry", Opaque: wire.CharmSigner + "/" + id}},
		NotBefore:    now.Add(-backdated),
		NotAfter:     now.Add(identityLife),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, public, a.key)
	if err != nil {
		return nil, fmt.Errorf("certify the key for charms: %w", err)
	}
	return &CharmSigner{key: private, certificate: der}, nil
}

// Sign vouches for an archive by its hash.
func (s *CharmSigner) Sign(hash string) ([]byte, error) {
	return wire.CharmSignature{Certificate: s.certificate, Signature: ed25519.Sign(s.key, wire.CharmStatement(hash))}.Encode()
}
