package client

import (
	"crypto/tls"

	"github.com/gantry-orchestrator/gantry/engine/wire"
)

// Peers is a controller's connection to another.
type Peers struct {
	*wire.PeersClient
	conn *route
}

// DialPeers prepares a controller's connection to the first of others that
// answers or, for what only a leader does, to that.
func DialPeers(config *tls.Config, addresses ...string) *Peers {
	conn := newRoute(config, addresses, nil, nil)
	return &Peers{PeersClient: wire.NewPeersClient(conn), conn: conn}
}

// Close ends the connection and what runs on it.
func (p *Peers) Close() error { return p.conn.Close() }

// Membership is the connection of a machine that carries a controller.
type Membership struct {
	*wire.MembershipClient
	conn *route
}

// DialMembership prepares a machine's connection for its controller.
func DialMembership(c Context) (*Membership, error) {
	conn, err := dial(c)
	if err != nil {
		return nil, err
	}
	return &Membership{MembershipClient: wire.NewMembershipClient(conn), conn: conn}, nil
}

// Close ends the connection and what runs on it.
func (m *Membership) Close() error { return m.conn.Close() }
