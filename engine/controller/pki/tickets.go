package pki

import (
	"crypto"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
)

// ticketKeys seal what a client resumes its session with. They follow from the
// authority's key, so that every controller, and one that was started anew,
// takes a ticket of any other: thousands of agents that come back after a
// failover are each spared a handshake with signatures. Who holds that key may
// sign certificates and needs no ticket, and a session that is resumed agrees on
// fresh keys: old traffic stays closed to it.
func ticketKeys(authority crypto.Signer) ([][32]byte, error) {
	secret, err := x509.MarshalPKCS8PrivateKey(authority)
	if err != nil {
		return nil, fmt.Errorf("derive the keys of tickets: %w", err)
	}
	derived, err := hkdf.Key(sha256.New, secret, nil, "gantry session tickets", 32)
	if err != nil {
		return nil, fmt.Errorf("derive the keys of tickets: %w", err)
	}
	return [][32]byte{[32]byte(derived)}, nil
}
