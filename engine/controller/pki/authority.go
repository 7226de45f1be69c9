package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/gantry-orchestrator/gantry/model"
)

// The lifetimes of certificates. Backdated covers clocks that are behind; of a
// short life it is a third.
const (
	authorityLife = 10 * 365 * 24 * time.Hour
	identityLife  = 365 * 24 * time.Hour
	backdated     = time.Hour
)

// Kind is what bears a certificate.
type Kind string

// The kinds of bearer.
const (
	User       Kind = "user"       // an operator, by name
	Agent      Kind = "agent"      // of a machine, by its UUID
	Host       Kind = "host"       // a host agent, by its id
	Controller Kind = "controller" // by its id; serves, and is a member
	Joiner     Kind = "join"       // the bearer of a token: may redeem it
	Token      Kind = "token"      // a pipeline, by the ID of its token
)

// Authority signs certificates.
type Authority struct {
	certificate *x509.Certificate
	key         crypto.Signer
	pem         []byte
	tickets     [][32]byte
}

// OpenAuthority reads the CA in dir, ca.crt and ca.key, or makes it.
func OpenAuthority(dir string, now time.Time) (*Authority, error) {
	certificate, err := os.ReadFile(filepath.Join(dir, "ca.crt"))
	if errors.Is(err, fs.ErrNotExist) {
		return newAuthority(dir, now)
	}
	if err != nil {
		return nil, fmt.Errorf("read the authority: %w", err)
	}
	key, err := os.ReadFile(filepath.Join(dir, "ca.key"))
	if err != nil {
		return nil, fmt.Errorf("read the authority's key: %w", err)
	}
	a := &Authority{pem: certificate}
	if a.certificate, err = parseCertificate(certificate); err != nil {
		return nil, fmt.Errorf("authority in %s: %w", dir, err)
	}
	if a.key, err = parseKey(key); err != nil {
		return nil, fmt.Errorf("authority in %s: %w", dir, err)
	}
	a.tickets, err = ticketKeys(a.key)
	return a, err
}

// newAuthority writes the key before the certificate, whose presence says that
// both are there.
func newAuthority(dir string, now time.Time) (*Authority, error) {
	key, keyPEM, err := newKey()
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber:          serial(),
		Subject:               pkix.Name{CommonName: "gantry authority"},
		NotBefore:             now.Add(-backdated),
		NotAfter:              now.Add(authorityLife),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("make the authority: %w", err)
	}
	a := &Authority{key: key, pem: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})}
	if a.certificate, err = x509.ParseCertificate(der); err != nil {
		return nil, fmt.Errorf("make the authority: %w", err)
	}
	if a.tickets, err = ticketKeys(key); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the authority: %w", err)
	}
	return a, errors.Join(WriteFile(filepath.Join(dir, "ca.key"), keyPEM), WriteFile(filepath.Join(dir, "ca.crt"), a.pem))
}

// PEM is the authority's certificate.
func (a *Authority) PEM() []byte { return a.pem }

// Pool holds the authority alone.
func (a *Authority) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.certificate)
	return pool
}

// maxRequest bounds a certificate request: who joins may send no more.
const maxRequest = 16 << 10

// Certify signs for the key of a certificate request, whatever else the
// request says, for a bearer. The fingerprint is Fingerprint's; until is when
// the certificate ends. Where life is 0 it is that of the kind of bearer.
func (a *Authority) Certify(csr []byte, kind Kind, name string, now time.Time, life time.Duration) (certificate []byte, fingerprint string, until time.Time, err error) {
	if len(csr) > maxRequest {
		return nil, "", until, fmt.Errorf("certificate request of %s %s: over %d KiB: %w", kind, name, maxRequest>>10, model.ErrInvalid)
	}
	block, _ := pem.Decode(csr)
	if block == nil || block.Type != "CERTIFICATE REQUEST" {
		return nil, "", until, fmt.Errorf("certificate request of %s %s: not PEM: %w", kind, name, model.ErrInvalid)
	}
	request, err := x509.ParseCertificateRequest(block.Bytes)
	if err == nil {
		err = request.CheckSignature()
	}
	if err != nil {
		return nil, "", until, fmt.Errorf("certificate request of %s %s: %w: %w", kind, name, err, model.ErrInvalid)
	}
	if life == 0 {
		life = identityLife
	}
	until = now.Add(life).UTC().Truncate(time.Second) // as certificates tell time
	certificate, fingerprint, err = a.sign(request.PublicKey, kind, name, now, life)
	return certificate, fingerprint, until, err
}

// Issue makes a key and certifies it, for those who start with a file or a
// token instead of a request.
func (a *Authority) Issue(kind Kind, name string, now time.Time, life time.Duration) (key, certificate []byte, fingerprint string, err error) {
	private, key, err := newKey()
	if err != nil {
		return nil, nil, "", err
	}
	certificate, fingerprint, err = a.sign(private.Public(), kind, name, now, life)
	return key, certificate, fingerprint, err
}

func (a *Authority) sign(public crypto.PublicKey, kind Kind, name string, now time.Time, life time.Duration) ([]byte, string, error) {
	if life == 0 {
		life = identityLife
	}
	behind := backdated
	if life > 0 {
		behind = min(behind, life/3)
	}
	template := &x509.Certificate{
		SerialNumber: serial(),
		Subject:      pkix.Name{CommonName: string(kind) + "/" + name},
		URIs:         []*url.URL{{Scheme: "gantry", Opaque: string(kind) + "/" + name}},
		NotBefore:    now.Add(-behind),
		NotAfter:     now.Add(life),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	if kind == Controller {
		template.ExtKeyUsage = append(template.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
		template.DNSNames = []string{ServerName}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, public, a.key)
	if err != nil {
		return nil, "", fmt.Errorf("sign for %s %s: %w", kind, name, err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), fingerprint(der), nil
}

// ServerName is the name in every controller's certificate.
const ServerName = "controller.gantry"

func newKey() (*ecdsa.PrivateKey, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("make a key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, nil, fmt.Errorf("encode a key: %w", err)
	}
	return key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

func serial() *big.Int {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // never fails
	return new(big.Int).SetBytes(b)
}

func parseCertificate(text []byte) (*x509.Certificate, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("certificate is not PEM: %w", model.ErrInvalid)
	}
	return x509.ParseCertificate(block.Bytes)
}

func parseKey(text []byte) (crypto.Signer, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("key is not PEM: %w", model.ErrInvalid)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("key cannot sign: %w", model.ErrInvalid)
	}
	return signer, nil
}

func fingerprint(der []byte) string {
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:])
}
