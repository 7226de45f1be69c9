// Package port is a controller's one TCP port. It does the handshake of mutual
// TLS 1.3 itself and hands each connection on by the protocol that the two
// sides agreed on in it (ALPN), so that requests, consensus and history share
// one address and one identity, and nothing speaks before the handshake is
// done.
package port
