package client

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"strings"

	"github.com/gantry-orchestrator/gantry/engine/wire"
	"github.com/gantry-orchestrator/gantry/model"
)

// wordPrefix makes a pipeline's token recognisable where it should not be.
const wordPrefix = "gantry-token-"

// Word is the context as one word, for a pipeline's secrets. It holds the
// private key.
func (c Context) Word() (string, error) {
	b, err := json.Marshal(c)
	if err != nil {
		return "", fmt.Errorf("encode token: %w", err)
	}
	return wordPrefix + base64.RawURLEncoding.EncodeToString(b), nil
}

// ParseWord reads what Word wrote. An error does not repeat it.
func ParseWord(word string) (c Context, err error) {
	text, ok := strings.CutPrefix(strings.TrimSpace(word), wordPrefix)
	if !ok {
		return c, fmt.Errorf("token: expected %s...: %w", wordPrefix, model.ErrInvalid)
	}
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err == nil {
		err = json.Unmarshal(b, &c)
	}
	if err != nil {
		return Context{}, fmt.Errorf("token: it is not whole: %w", model.ErrInvalid)
	}
	return c, nil
}

// Registers is the user whom a registration token is for.
func Registers(token string) (model.UserName, error) {
	t, err := wire.ParseToken(token)
	if err != nil {
		return "", err
	}
	block, _ := pem.Decode(t.Certificate)
	if block == nil {
		return "", fmt.Errorf("registration token: it is not whole: %w", model.ErrInvalid)
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return "", fmt.Errorf("registration token: it is not whole: %w", model.ErrInvalid)
	}
	name, ok := strings.CutPrefix(c.Subject.CommonName, "join/user:")
	if !ok {
		return "", fmt.Errorf("the token is for a machine, not for a user: ask an administrator for gantry add-user: %w", model.ErrInvalid)
	}
	return model.ParseUserName(name)
}

// RegisterAt is the registration token with other addresses of the controllers
// than it names.
func RegisterAt(token string, addresses []string) (string, error) {
	t, err := wire.ParseToken(token)
	if err != nil {
		return "", err
	}
	t.Addresses = addresses
	return t.String(), nil
}
