// Package server is the gRPC transport of package api: mutual TLS 1.3 and
// nothing else. It authenticates the caller by certificate, has api decide by
// the permission that each method declares, and maps errors to the wire.
package server
