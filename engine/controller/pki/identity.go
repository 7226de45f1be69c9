package pki

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/gantry-orchestrator/gantry/model"
)

// Fingerprint identifies a certificate: SHA-256 of its DER, in hex.
func Fingerprint(c *x509.Certificate) string { return fingerprint(c.Raw) }

// FingerprintPEM is Fingerprint of a certificate in PEM.
func FingerprintPEM(text []byte) (string, error) {
	c, err := parseCertificate(text)
	if err != nil {
		return "", err
	}
	return Fingerprint(c), nil
}

// Bearer is who a certificate of this authority names.
func Bearer(c *x509.Certificate) (Kind, string, error) {
	if len(c.URIs) == 1 && c.URIs[0].Scheme == "gantry" {
		if kind, name, ok := strings.Cut(c.URIs[0].Opaque, "/"); ok && name != "" {
			return Kind(kind), name, nil
		}
	}
	return "", "", fmt.Errorf("certificate %s names no bearer: %w", c.Subject, model.ErrDenied)
}

// ServerTLS lets in whoever has a certificate of the authority; what they may
// do is decided for each request.
func (a *Authority) ServerTLS(pair tls.Certificate) *tls.Config {
	c := &tls.Config{
		MinVersion:   tls.VersionTLS13,
		Certificates: []tls.Certificate{pair},
		ClientAuth:   tls.RequireAndVerifyClientCert,
		ClientCAs:    a.Pool(),
	}
	c.SetSessionTicketKeys(a.tickets)
	return c
}

// MemberTLS lets controllers alone talk to each other, in both directions.
func (a *Authority) MemberTLS(pair tls.Certificate) *tls.Config {
	c := a.ServerTLS(pair)
	c.RootCAs = a.Pool()
	c.ServerName = ServerName
	c.VerifyConnection = func(s tls.ConnectionState) error {
		kind, name, err := Bearer(s.PeerCertificates[0])
		if err != nil {
			return err
		}
		if kind != Controller {
			return fmt.Errorf("%s %s is no controller: %w", kind, name, model.ErrDenied)
		}
		return nil
	}
	return c
}

// WriteFile writes a file of mode 0600 durably, whole or not at all.
func WriteFile(path string, b []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".write-*") // mode 0600
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer os.Remove(f.Name())
	defer f.Close()
	if _, err := f.Write(b); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}
