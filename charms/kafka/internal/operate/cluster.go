package operate

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/plain"

	"github.com/gantry-orchestrator/gantry/model"
)

// Cluster is where nodes know each other, and how they are let in.
type Cluster struct {
	Controllers []string // HOST:PORT of controllers' own listener
	Brokers     []string // HOST:PORT of brokers' listener for each other
	Password    string   // of the user Member
	Trust       string   // PEM of the authorities that vouch for nodes, "" without TLS
	Cert, Key   string   // PEM of this node's own, with TLS
}

// Member is the user that nodes are to each other; it may do everything.
const Member = "member"

// dialing is how long a node that does not answer is waited for: another one
// may.
const dialing = 3 * time.Second

// poll is how often nodes are asked while something is under way.
const poll = 500 * time.Millisecond

// connect returns a client of nodes, of which one is enough.
func (c Cluster) connect(nodes []string) (*kgo.Client, error) {
	if len(nodes) == 0 {
		return nil, fmt.Errorf("no node is there to be asked: %w", model.ErrUnavailable)
	}
	opts := []kgo.Opt{
		kgo.SeedBrokers(nodes...), kgo.SASL(plain.Auth{User: Member, Pass: c.Password}.AsMechanism()),
		kgo.RequestRetries(2), kgo.RetryTimeout(10 * time.Second), kgo.MetadataMinAge(100 * time.Millisecond),
	}
	dialer := &net.Dialer{Timeout: dialing}
	if c.Trust == "" {
		opts = append(opts, kgo.Dialer(dialer.DialContext))
	} else {
		config, err := c.tls()
		if err != nil {
			return nil, err
		}
		opts = append(opts, kgo.Dialer((&tls.Dialer{NetDialer: dialer, Config: config}).DialContext))
	}
	client, err := kgo.NewClient(opts...)
	if err != nil {
		return nil, fmt.Errorf("reach %v: %w: %w", nodes, err, model.ErrInvalid)
	}
	return client, nil
}

func (c Cluster) tls() (*tls.Config, error) {
	config := &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS12}
	if !config.RootCAs.AppendCertsFromPEM([]byte(c.Trust)) {
		return nil, fmt.Errorf("the authorities to trust hold no certificate: %w", model.ErrInvalid)
	}
	pair, err := tls.X509KeyPair([]byte(c.Cert), []byte(c.Key))
	if err != nil {
		return nil, fmt.Errorf("the node's certificate: %w: %w", err, model.ErrInvalid)
	}
	config.Certificates = []tls.Certificate{pair}
	return config, nil
}

// administer asks brokers.
func (c Cluster) administer(ask func(*kadm.Client) error) error {
	client, err := c.connect(c.Brokers)
	if err != nil {
		return err
	}
	defer client.Close()
	return classed(ask(kadm.NewClient(client)))
}

// classed gives an error of Kafka's a class, so that what asked knows whether
// to ask again.
func classed(err error) error {
	if err == nil || errors.Is(err, model.ErrInvalid) || errors.Is(err, model.ErrConflict) || errors.Is(err, model.ErrNotFound) {
		return err
	}
	return fmt.Errorf("%w: %w", err, model.ErrUnavailable)
}

// until asks again and again until it is done, or the time that is left is
// over; the last error says why it was not.
func until(ctx context.Context, what string, done func() (bool, error)) error {
	for {
		ok, err := done()
		if ok {
			return nil
		}
		if errors.Is(err, model.ErrInvalid) || errors.Is(err, model.ErrConflict) {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", what, errors.Join(err, ctx.Err(), model.ErrUnavailable))
		case <-time.After(poll):
		}
	}
}
