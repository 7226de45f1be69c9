package consensus

import (
	"context"
	"net"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
)

// networkTransport carries raft over the connections of a configuration.
func networkTransport(c Config, logger hclog.Logger) raft.Transport {
	return raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{
		Stream:  &streamLayer{Listener: c.Listener, dial: c.Dial, address: address(c.Address)},
		MaxPool: 3, Timeout: answerTimeout, Logger: logger,
	})
}

// streamLayer passes connections that the caller of Open vouches for.
type streamLayer struct {
	net.Listener
	dial    func(ctx context.Context, address string) (net.Conn, error)
	address address
}

// Addr is where others reach this member, which need not be where it listens.
func (s *streamLayer) Addr() net.Addr { return s.address }

// Dial implements raft.StreamLayer.
func (s *streamLayer) Dial(address raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	return s.dial(ctx, string(address))
}

// address is a member's, as raft writes it.
type address string

// Network implements net.Addr.
func (address) Network() string { return "tcp" }

// String implements net.Addr.
func (a address) String() string { return string(a) }
