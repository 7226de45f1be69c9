package port

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"

	"google.golang.org/grpc/credentials"

	"github.com/gantry-orchestrator/gantry/model"
)

// Credentials let a gRPC server take connections that have done their
// handshake at the port. Anything else it refuses.
func Credentials() credentials.TransportCredentials { return done{} }

type done struct{}

// ServerHandshake implements credentials.TransportCredentials.
func (done) ServerHandshake(conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	secured, ok := conn.(*tls.Conn)
	if !ok || !secured.ConnectionState().HandshakeComplete {
		return nil, nil, fmt.Errorf("connection without a handshake: %w", model.ErrDenied)
	}
	return conn, credentials.TLSInfo{
		State:          secured.ConnectionState(),
		CommonAuthInfo: credentials.CommonAuthInfo{SecurityLevel: credentials.PrivacyAndIntegrity},
	}, nil
}

// ClientHandshake implements credentials.TransportCredentials: a server dials
// nobody.
func (done) ClientHandshake(context.Context, string, net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return nil, nil, fmt.Errorf("these credentials are a server's: %w", model.ErrInvalid)
}

// Info implements credentials.TransportCredentials.
func (done) Info() credentials.ProtocolInfo {
	return credentials.ProtocolInfo{SecurityProtocol: "tls"}
}

// Clone implements credentials.TransportCredentials.
func (d done) Clone() credentials.TransportCredentials { return d }

// OverrideServerName implements credentials.TransportCredentials.
func (done) OverrideServerName(string) error { return nil }
