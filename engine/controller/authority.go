package controller

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/gantry-orchestrator/gantry/engine/api"
	"github.com/gantry-orchestrator/gantry/engine/client"
	"github.com/gantry-orchestrator/gantry/engine/controller/pki"
	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/engine/wire"
	"github.com/gantry-orchestrator/gantry/model"
)

// tokenCertificateLife is longer than a token's life, so that who comes late
// is told by the state, not by TLS.
const tokenCertificateLife = 3 * 24 * time.Hour

// authority implements api.Authority.
type authority struct {
	*pki.Authority
	charms    *pki.CharmSigner
	addresses func() []string
	life      time.Duration // 0 for that of the kind of bearer
}

// Sign implements api.Authority.
func (a authority) Sign(csr []byte, who api.Identity, life time.Duration) (api.Signed, error) {
	if life == 0 {
		life = a.life
	}
	certificate, fingerprint, until, err := a.Certify(csr, pki.Kind(who.Kind), who.Name, time.Now(), life)
	return api.Signed{Certificate: certificate, Fingerprint: fingerprint, Until: until}, err
}

// SignCharm implements api.Authority.
func (a authority) SignCharm(hash string) ([]byte, error) { return a.charms.Sign(hash) }

// IssueToken implements api.Authority.
func (a authority) IssueToken(bearer string) (token, hash string, err error) {
	random := make([]byte, 32)
	_, _ = rand.Read(random) // never fails
	secret := hex.EncodeToString(random)
	key, certificate, _, err := a.Issue(pki.Joiner, bearer, time.Now(), tokenCertificateLife)
	if err != nil {
		return "", "", err
	}
	t := wire.Token{Addresses: a.addresses(), CA: a.PEM(), Certificate: certificate, Key: key, Secret: secret}
	return t.String(), api.HashToken(secret), nil
}

// identity is the name that a file keeps and the certificate in it.
type identity struct {
	name        string
	fingerprint string
	made        bool // at this start
}

// administered reports whether somebody administers the controller. Whoever
// the administrators took out is not brought back by a file.
func administered(st state.State) bool {
	return slices.ContainsFunc(st.Users(), func(u state.User) bool { return u.Superuser && !u.Disabled })
}

// contextFile makes sure that there is a context file for a bearer, dialling
// addresses. Where there is one, its identity stays.
func contextFile(path string, a *pki.Authority, kind pki.Kind, name string, addresses []string) (identity, error) {
	c, err := client.Load(path)
	made := errors.Is(err, model.ErrNotFound)
	switch {
	case made:
		key, certificate, _, err := a.Issue(kind, name, time.Now(), 0)
		if err != nil {
			return identity{}, err
		}
		c = client.Context{CA: a.PEM(), Certificate: certificate, Key: key}
	case err != nil:
		return identity{}, err
	}
	c.Addresses = addresses
	if err := c.Save(path); err != nil {
		return identity{}, err
	}
	fingerprint, err := pki.FingerprintPEM(c.Certificate)
	return identity{name, fingerprint, made}, err
}

// ownID is the controller's own id, made once.
func ownID(dir string) (string, error) {
	path := filepath.Join(dir, "id")
	b, err := os.ReadFile(path)
	if err == nil {
		return string(b), nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("read the controller's id: %w", err)
	}
	id := uuid.NewString()
	return id, pki.WriteFile(path, []byte(id))
}
