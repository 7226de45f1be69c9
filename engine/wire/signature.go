package wire

import (
	"encoding/json"
	"fmt"

	"github.com/gantry-orchestrator/gantry/model"
)

// CharmSignature vouches for a charm's archive: an ed25519 signature over
// CharmStatement, and the certificate of the key that made it, which the
// authority signed. Who has the authority's certificate needs nobody to check
// it.
type CharmSignature struct {
	Certificate []byte `json:"certificate"` // DER
	Signature   []byte `json:"signature"`
}

// CharmStatement is what is signed of an archive with a hash.
func CharmStatement(hash string) []byte { return []byte("gantry charm 1\n" + hash + "\n") }

// CharmSigner is the common name in the certificate of a key that signs charms.
const CharmSigner = "charms"

// Encode is the signature as it travels and is kept.
func (s CharmSignature) Encode() ([]byte, error) {
	b, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("encode a charm's signature: %w", err)
	}
	return b, nil
}

// ParseCharmSignature reads what Encode wrote.
func ParseCharmSignature(b []byte) (s CharmSignature, err error) {
	if err := json.Unmarshal(b, &s); err != nil {
		return s, fmt.Errorf("charm's signature: it does not read: %w", model.ErrDenied)
	}
	return s, nil
}
