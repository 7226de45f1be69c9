package consensus

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"time"

	"github.com/hashicorp/raft"
)

// streamLayer carries raft between members over mutual TLS.
type streamLayer struct {
	net.Listener
	config *tls.Config
}

// listen opens a member's port. Everyone is refused whom config does not let
// in: it must ask for a controller's certificate.
func listen(address string, config *tls.Config) (*streamLayer, error) {
	if config == nil || config.ClientAuth != tls.RequireAndVerifyClientCert || config.MinVersion < tls.VersionTLS13 {
		return nil, fmt.Errorf("members speak mutual TLS 1.3 only: the configuration does not ask for it")
	}
	l, err := tls.Listen("tcp", address, config)
	if err != nil {
		return nil, fmt.Errorf("listen for members: %w", err)
	}
	return &streamLayer{Listener: l, config: config}, nil
}

// Dial implements raft.StreamLayer.
func (s *streamLayer) Dial(address raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	d := tls.Dialer{Config: s.config}
	return d.DialContext(ctx, "tcp", string(address))
}
