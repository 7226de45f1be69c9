package client

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"

	"github.com/gantry-orchestrator/gantry/engine/wire"
)

// NewKey makes a private key and a certificate request for it, both in PEM.
// Who the certificate will name is the controller's to say.
func NewKey() (key, csr []byte, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("make a key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, nil, fmt.Errorf("encode a key: %w", err)
	}
	request, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, private)
	if err != nil {
		return nil, nil, fmt.Errorf("make a certificate request: %w", err)
	}
	key = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	csr = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: request})
	return key, csr, nil
}

// Join redeems a token and returns the machine's own context. The key is made
// here and never leaves.
func Join(ctx context.Context, token string) (Context, error) {
	t, err := wire.ParseToken(token)
	if err != nil {
		return Context{}, err
	}
	conn, err := dial(Context{Addresses: t.Addresses, CA: t.CA, Certificate: t.Certificate, Key: t.Key})
	if err != nil {
		return Context{}, err
	}
	defer conn.Close()
	key, csr, err := NewKey()
	if err != nil {
		return Context{}, err
	}
	credential, err := wire.NewJoinClient(conn).Redeem(ctx, t.Secret, csr)
	if err != nil {
		return Context{}, fmt.Errorf("join: %w", err)
	}
	return Context{Addresses: t.Addresses, CA: credential.CA, Certificate: credential.Certificate, Key: key}, nil
}
