package client

import (
	"crypto/ed25519"
	"crypto/x509"
	"fmt"
	"strings"

	"github.com/gantry-orchestrator/gantry/engine/wire"
	"github.com/gantry-orchestrator/gantry/model"
)

// VerifyCharm reports why a charm's archive, known by its hash, is not one that
// a controller of the authority signed; nil where it is. It asks nobody, and a
// signature does not age: what was signed stays so when the key's certificate
// has ended.
func VerifyCharm(authority []byte, hash string, signature []byte) error {
	refused := func(why string) error {
		return fmt.Errorf("charm %s: %s: it is not run: %w", hash, why, model.ErrDenied)
	}
	if len(signature) == 0 {
		return refused("it is not signed")
	}
	s, err := wire.ParseCharmSignature(signature)
	if err != nil {
		return refused("its signature does not read")
	}
	signer, err := x509.ParseCertificate(s.Certificate)
	if err != nil {
		return refused("its signature has no certificate")
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(authority) {
		return fmt.Errorf("authority of the context is no certificate: %w", model.ErrInvalid)
	}
	_, err = signer.Verify(x509.VerifyOptions{
		Roots: roots, CurrentTime: signer.NotBefore, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning},
	})
	if err != nil || !strings.HasPrefix(signer.Subject.CommonName, wire.CharmSigner+"/") {
		return refused("its signature is not of a controller that this machine trusts")
	}
	key, ok := signer.PublicKey.(ed25519.PublicKey)
	if !ok || !ed25519.Verify(key, wire.CharmStatement(hash), s.Signature) {
		return refused("its signature is of something else")
	}
	return nil
}
