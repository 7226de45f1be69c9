package cli_test

import (
	"time"

	"github.com/gantry-orchestrator/gantry/engine/api"
	"github.com/gantry-orchestrator/gantry/engine/controller/pki"
	"github.com/gantry-orchestrator/gantry/engine/wire"
	"github.com/gantry-orchestrator/gantry/model"
)

// signer is the authority of a world.
type signer struct {
	*pki.Authority
	address string
}

// Sign implements api.Authority.
func (s signer) Sign(csr []byte, who api.Identity, life time.Duration) (api.Signed, error) {
	certificate, fingerprint, until, err := s.Certify(csr, pki.Kind(who.Kind), who.Name, time.Now(), life)
	return api.Signed{Certificate: certificate, Fingerprint: fingerprint, Until: until}, err
}

// SignCharm implements api.Authority: nobody fetches charms in a story.
func (s signer) SignCharm(string) ([]byte, error) { return nil, model.ErrUnavailable }

// IssueToken implements api.Authority.
func (s signer) IssueToken(bearer string) (token, hash string, err error) {
	key, certificate, fingerprint, err := s.Issue(pki.Joiner, bearer, time.Now(), time.Hour)
	if err != nil {
		return "", "", err
	}
	t := wire.Token{Addresses: []string{s.address}, CA: s.PEM(), Certificate: certificate, Key: key, Secret: fingerprint}
	return t.String(), api.HashToken(fingerprint), nil
}
