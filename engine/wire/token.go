package wire

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/gantry-orchestrator/gantry/model"
)

// tokenPrefix makes a token recognisable where it should not be.
const tokenPrefix = "gantry-join-"

// Token is what a machine's agent joins with, once. Its certificate opens the
// connection and nothing but Redeem; its secret is kept hashed by the
// controller and is good for one redemption.
type Token struct {
	Addresses   []string `json:"addresses"` // host:port of the controllers
	CA          []byte   `json:"ca"`        // PEM
	Certificate []byte   `json:"certificate"`
	Key         []byte   `json:"key"`
	Secret      string   `json:"secret"`
}

// String is the token as one word.
func (t Token) String() string {
	b, err := json.Marshal(t)
	if err != nil {
		panic("wire: a token does not encode: " + err.Error())
	}
	return tokenPrefix + base64.RawURLEncoding.EncodeToString(b)
}

// ParseToken reads what String wrote. An error does not repeat the token.
func ParseToken(s string) (t Token, err error) {
	word, ok := strings.CutPrefix(strings.TrimSpace(s), tokenPrefix)
	if !ok {
		return t, fmt.Errorf("join token: expected %s...: %w", tokenPrefix, model.ErrInvalid)
	}
	b, err := base64.RawURLEncoding.DecodeString(word)
	if err != nil {
		return t, fmt.Errorf("join token: not whole: %w", model.ErrInvalid)
	}
	if err := json.Unmarshal(b, &t); err != nil {
		return t, fmt.Errorf("join token: not whole: %w", model.ErrInvalid)
	}
	return t, nil
}
