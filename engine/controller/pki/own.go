package pki

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"sync/atomic"
	"time"
)

// Own is a controller's own certificate. It is made anew at each start, and
// while serving once two thirds of its life are over: connections go on, and
// new ones are shown the new one.
type Own struct {
	authority *Authority
	id        string
	life      time.Duration
	now       func() time.Time
	pair      atomic.Pointer[tls.Certificate]
}

// NewOwn makes a controller's certificate. A life of 0 is that of every
// identity.
func (a *Authority) NewOwn(id string, life time.Duration, now func() time.Time) (*Own, error) {
	if life == 0 {
		life = identityLife
	}
	o := &Own{authority: a, id: id, life: life, now: now}
	return o, o.renew()
}

func (o *Own) renew() error {
	key, certificate, _, err := o.authority.Issue(Controller, o.id, o.now(), o.life)
	if err != nil {
		return err
	}
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		return fmt.Errorf("controller's certificate: %w", err)
	}
	if pair.Leaf, err = x509.ParseCertificate(pair.Certificate[0]); err != nil {
		return fmt.Errorf("controller's certificate: %w", err)
	}
	o.pair.Store(&pair)
	return nil
}

// Pair is the certificate as it is now.
func (o *Own) Pair() tls.Certificate { return *o.pair.Load() }

// Rotating makes a configuration show the certificate as it is when a
// connection is made, on either side.
func (o *Own) Rotating(c *tls.Config) *tls.Config {
	c.Certificates = nil
	c.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return o.pair.Load(), nil }
	c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return o.pair.Load(), nil }
	return c
}

// Run renews the certificate in time, until ctx ends. Where it cannot, it tries
// again well before the old one ends.
func (o *Own) Run(ctx context.Context) error {
	for {
		wait := o.life / 30
		if age := o.now().Sub(o.pair.Load().Leaf.NotAfter.Add(-o.life)); age < o.life*2/3 {
			wait = o.life*2/3 - age
		} else if err := o.renew(); err == nil {
			continue
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
