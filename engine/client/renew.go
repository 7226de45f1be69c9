package client

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/gantry-orchestrator/gantry/engine/wire"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

// life is when the context's certificate was made, and when it ends.
func (c Context) life() (from, to time.Time, err error) {
	block, _ := pem.Decode(c.Certificate)
	if block == nil {
		return from, to, fmt.Errorf("identity of the context is no certificate: %w", model.ErrInvalid)
	}
	parsed, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return from, to, fmt.Errorf("identity of the context: %w: %w", err, model.ErrInvalid)
	}
	return parsed.NotBefore, parsed.NotAfter, nil
}

// Due is when the context's certificate is to be renewed: when two thirds of
// its life are over.
func (c Context) Due() (time.Time, error) {
	from, to, err := c.life()
	return from.Add(to.Sub(from) * 2 / 3), err
}

// Renew gives the context's user another certificate for a key made here, and
// saves both where the context came from. Requests go on with it; streams that
// are open go on as they are.
func (c *Client) Renew(ctx context.Context, at Context) (Context, error) {
	return renew(ctx, c.conn, at, c.RenewUser)
}

func renew(ctx context.Context, conn *route, at Context, ask func(context.Context, []byte) (operator.Credential, error)) (Context, error) {
	key, csr, err := NewKey()
	if err != nil {
		return at, err
	}
	credential, err := ask(ctx, csr)
	if err != nil {
		return at, fmt.Errorf("renew the certificate: %w", err)
	}
	next := at
	next.Certificate, next.Key, next.CA = credential.Certificate, key, credential.CA
	config, err := next.tls()
	if err != nil {
		return at, err
	}
	if at.file != "" {
		if err := next.Save(at.file); err != nil {
			return at, err // the old one goes on; it is tried again
		}
	}
	conn.adopt(config)
	return next, nil
}

// adopt makes connections with another identity from now on. What is open goes
// on: without a stream, a connection ends by itself.
func (r *route) adopt(config *tls.Config) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for address, c := range r.conns {
		r.retired = append(r.retired, c)
		delete(r.conns, address)
	}
	r.config = config
}

// KeepRenewed renews the certificate in the context file of a machine agent in
// time, until ctx ends.
func (a *Agent) KeepRenewed(ctx context.Context, path string, log *slog.Logger) error {
	return keepRenewed(ctx, a.conn, path, log, wire.NewCertificatesClient(a.conn).RenewAgent)
}

// KeepRenewed is the same for a host agent.
func (h *Host) KeepRenewed(ctx context.Context, path string, log *slog.Logger) error {
	return keepRenewed(ctx, h.conn, path, log, wire.NewCertificatesClient(h.conn).RenewHost)
}

// How long renewing waits after a failure, at least and at most.
const (
	renewSoon = time.Second
	renewLate = time.Hour
)

func keepRenewed(ctx context.Context, conn *route, path string, log *slog.Logger, ask func(context.Context, []byte) (operator.Credential, error)) error {
	for pause := renewSoon; ; {
		at, err := Load(path)
		if err != nil {
			return err
		}
		due, err := at.Due()
		if err != nil {
			return err
		}
		wait := time.Until(due)
		if wait <= 0 {
			if _, err = renew(ctx, conn, at, ask); err == nil {
				log.Info("the certificate was renewed", "context", path)
				pause = renewSoon
				continue
			}
			if errors.Is(err, context.Canceled) {
				return nil
			}
			log.Warn("the certificate was not renewed", "context", path, "again", pause, "error", err)
			wait, pause = pause, min(2*pause, renewLate)
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil
		}
	}
}
