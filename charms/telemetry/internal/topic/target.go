package topic

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"slices"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"github.com/gantry-orchestrator/gantry/model"
)

// Target is where the topic is.
type Target struct {
	Topic    string
	Brokers  []string // host:port, to begin with
	User     string   // empty: nobody in particular
	Password string
	CA       string // PEM of whom to trust; empty: without TLS
}

// Validate refuses a target that cannot be connected to.
func (t Target) Validate() error {
	if t.Topic == "" {
		return fmt.Errorf("the topic has no name: %w", model.ErrInvalid)
	}
	if len(t.Brokers) == 0 {
		return fmt.Errorf("topic %s has no broker; name at least one host:port: %w", t.Topic, model.ErrInvalid)
	}
	for _, b := range t.Brokers {
		if _, _, err := net.SplitHostPort(b); err != nil {
			return fmt.Errorf("broker %q: want host:port: %w: %w", b, err, model.ErrInvalid)
		}
	}
	if t.CA != "" && !x509.NewCertPool().AppendCertsFromPEM([]byte(t.CA)) {
		return fmt.Errorf("authority of topic %s: no certificate in PEM: %w", t.Topic, model.ErrInvalid)
	}
	return nil
}

// Equal reports whether o leads to the same topic in the same way.
func (t Target) Equal(o Target) bool {
	return slices.Equal(t.Brokers, o.Brokers) && t.Topic == o.Topic && t.User == o.User && t.Password == o.Password && t.CA == o.CA
}

// A broker whose machine is gone is given up well before the rest of the
// cluster does, so that its leaders' successors are found at once.
const (
	dialTimeout  = 2 * time.Second
	extraTimeout = 3 * time.Second // over what a request itself may take
	metadataAge  = 500 * time.Millisecond
)

// connect returns a client of the brokers of target, which may change while it
// is used: who connects next is told of the present one.
func connect(target *atomic.Pointer[Target], more ...kgo.Opt) (*kgo.Client, error) {
	t := target.Load()
	if err := t.Validate(); err != nil {
		return nil, err
	}
	options := []kgo.Opt{
		kgo.SeedBrokers(t.Brokers...),
		kgo.Dialer(func(ctx context.Context, network, host string) (net.Conn, error) {
			return target.Load().dial(ctx, network, host)
		}),
		kgo.RequestTimeoutOverhead(extraTimeout),
		kgo.MetadataMinAge(metadataAge),
		kgo.DisableClientMetrics(),
	}
	if t.User != "" {
		options = append(options, kgo.SASL(scram.Sha512(func(context.Context) (scram.Auth, error) {
			now := target.Load()
			return scram.Auth{User: now.User, Pass: now.Password}, nil
		})))
	}
	client, err := kgo.NewClient(append(options, more...)...)
	if err != nil {
		return nil, fmt.Errorf("topic %s: %w: %w", t.Topic, err, model.ErrInvalid)
	}
	return client, nil
}

func (t Target) dial(ctx context.Context, network, host string) (net.Conn, error) {
	plain := &net.Dialer{Timeout: dialTimeout}
	if t.CA == "" {
		return plain.DialContext(ctx, network, host)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(t.CA))
	secure := tls.Dialer{NetDialer: plain, Config: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}
	return secure.DialContext(ctx, network, host)
}
