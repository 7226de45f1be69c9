package effect

// SecretAt is one revision of a secret; 0 is the current one.
type SecretAt struct {
	ID       string `json:"id"`
	Revision int    `json:"revision,omitempty"`
}

// OpenSecret is a secret with its bytes, as an agent of its owner or of a
// grantee reads it. It is never written down.
type OpenSecret struct {
	SecretAt
	Fields map[string][]byte `json:"fields"`
}
