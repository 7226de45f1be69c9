// Package pki is the controller's certificate authority: it makes the CA, the
// controller's own certificate and the first identities, and signs what joins.
// A certificate names its bearer by one URI, gantry:KIND/NAME. Private keys are
// files of mode 0600; those of others are never seen here.
package pki
