package operate

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/gantry-orchestrator/gantry/model"
)

// Show has the server read its certificate anew, and returns once a connection
// is shown this one.
func (s SQL) Show(ctx context.Context, certificate string) error {
	block, _ := pem.Decode([]byte(certificate))
	if block == nil {
		return fmt.Errorf("the certificate is no PEM: %w", model.ErrInvalid)
	}
	wanted, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return fmt.Errorf("the certificate: %w", errors.Join(err, model.ErrInvalid))
	}
	return until(ctx, s.Address+" shows its certificate", func(ctx context.Context) (bool, error) {
		return s.shows(ctx, wanted)
	})
}

// shows reports whether a connection is shown a certificate; where it is shown
// another the server is told to read its files again.
func (s SQL) shows(ctx context.Context, wanted *x509.Certificate) (bool, error) {
	config, err := s.config("postgres")
	if err != nil {
		return false, err
	}
	shown := false
	config.Fallbacks = nil
	config.TLSConfig = &tls.Config{
		InsecureSkipVerify: true, // what is shown is compared itself
		VerifyConnection: func(state tls.ConnectionState) error {
			shown = len(state.PeerCertificates) > 0 && state.PeerCertificates[0].Equal(wanted)
			return nil
		},
	}
	conn, err := s.open(ctx, config)
	if err != nil {
		return false, err
	}
	defer closing(ctx, conn)
	if shown {
		return true, nil
	}
	_, err = conn.Exec(ctx, "SELECT pg_reload_conf()")
	return false, err
}
