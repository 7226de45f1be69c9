// Package operate makes the keys and requests of those who ask an authority for
// a certificate.
package operate

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"net"

	"github.com/gantry-orchestrator/gantry/model"
)

// NewKey makes a private key, in PEM and PKCS #8: Java reads no other.
func NewKey() (string, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", fmt.Errorf("make a key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return "", fmt.Errorf("encode a key: %w", err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: pkcs8, Bytes: der})), nil
}

// pkcs8 is how PEM names a key in PKCS #8.
const pkcs8 = "PRIVATE KEY"

// Request signs a request with a key in PEM that NewKey made, or one of
// before, which was not in PKCS #8.
func Request(key string, s Subject) (string, error) {
	block, _ := pem.Decode([]byte(key))
	if block == nil {
		return "", fmt.Errorf("the key is no PEM: %w", model.ErrInvalid)
	}
	signer, err := decode(block)
	if err != nil {
		return "", fmt.Errorf("decode the key: %w", err)
	}
	return SignedBy(rand.Reader, signer, s)
}

func decode(block *pem.Block) (crypto.Signer, error) {
	if block.Type != pkcs8 {
		return x509.ParseECPrivateKey(block.Bytes)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("%T signs nothing: %w", key, model.ErrInvalid)
	}
	return signer, nil
}

// Subject is whom a request names.
type Subject struct {
	Name             string // common name
	Names, Addresses []string
}

// SignedBy signs a request with a key, whose signatures may need randomness.
func SignedBy(random io.Reader, key crypto.Signer, s Subject) (string, error) {
	template := &x509.CertificateRequest{Subject: pkix.Name{CommonName: s.Name}, DNSNames: s.Names}
	for _, text := range s.Addresses {
		address := net.ParseIP(text)
		if address == nil {
			return "", fmt.Errorf("address %q: %w", text, model.ErrInvalid)
		}
		template.IPAddresses = append(template.IPAddresses, address)
	}
	der, err := x509.CreateCertificateRequest(random, template, key)
	if err != nil {
		return "", fmt.Errorf("sign the request: %w", err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})), nil
}
