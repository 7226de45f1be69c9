// Package operate makes the keys and certificates of the authority's charm.
package operate

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"time"

	"github.com/gantry-orchestrator/gantry/model"
)

// skew is how much earlier than now a certificate begins, for clocks that are
// behind.
const skew = 5 * time.Minute

// NewKey makes a private key, in PEM: ecdsa-p256, ecdsa-p384, rsa-3072 or
// rsa-4096.
func NewKey(kind string) (string, error) {
	key, err := newKey(kind)
	if err != nil {
		return "", fmt.Errorf("make a key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	return encode("PRIVATE KEY", der), err
}

func newKey(kind string) (crypto.Signer, error) {
	switch kind {
	case "ecdsa-p256":
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "ecdsa-p384":
		return ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case "rsa-3072":
		return rsa.GenerateKey(rand.Reader, 3072)
	case "rsa-4096":
		return rsa.GenerateKey(rand.Reader, 4096)
	default:
		return nil, fmt.Errorf("key type %q: %w", kind, model.ErrInvalid)
	}
}

func encode(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func decode(text string) []byte {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil
	}
	return block.Bytes
}

// Authority is a key with its certificate, both in PEM.
type Authority struct {
	Key         string
	Certificate string // "" for one that is to sign its own
}

func (a Authority) signer() (crypto.Signer, error) {
	key, err := x509.ParsePKCS8PrivateKey(decode(a.Key))
	if err != nil {
		return nil, fmt.Errorf("the authority's key does not read: %w", err)
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("the authority's key cannot sign: %w", model.ErrInvalid)
	}
	return signer, nil
}

// Root signs the authority's own certificate, good from now on.
func (a Authority) Root(name string, life time.Duration) (string, error) {
	key, err := a.signer()
	if err != nil {
		return "", err
	}
	serial, err := number()
	if err != nil {
		return "", err
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name}, NotBefore: now.Add(-skew), NotAfter: now.Add(life),
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	return encode("CERTIFICATE", der), err
}

func number() (*big.Int, error) {
	return rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
}

// Signed is a certificate, when it was made and when it ends.
type Signed struct {
	Certificate string // PEM
	From, Until time.Time
}

// Sign signs a request, whose names the charm has allowed, for a server and a
// client in one, good from now on. It never outlives the authority.
func (a Authority) Sign(csr string, life time.Duration) (Signed, error) {
	request, err := x509.ParseCertificateRequest(decode(csr))
	if err == nil {
		err = request.CheckSignature()
	}
	if err != nil {
		return Signed{}, fmt.Errorf("the request does not read: %w", err)
	}
	own, err := x509.ParseCertificate(decode(a.Certificate))
	if err != nil {
		return Signed{}, fmt.Errorf("the authority's certificate does not read: %w", err)
	}
	key, err := a.signer()
	if err != nil {
		return Signed{}, err
	}
	serial, err := number()
	if err != nil {
		return Signed{}, err
	}
	now := time.Now().UTC().Truncate(time.Second)
	until := now.Add(life)
	if until.After(own.NotAfter) {
		until = own.NotAfter
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: request.Subject.CommonName}, NotBefore: now.Add(-skew), NotAfter: until,
		DNSNames: request.DNSNames, IPAddresses: request.IPAddresses, BasicConstraintsValid: true,
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, own, request.PublicKey, key)
	return Signed{Certificate: encode("CERTIFICATE", der), From: now, Until: until.UTC().Truncate(time.Second)}, err
}
