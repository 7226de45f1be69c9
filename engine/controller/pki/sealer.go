package pki

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/gantry-orchestrator/gantry/model"
)

// Sealer encrypts secrets at rest with AES-256-GCM, under a key that is a file
// of mode 0600 and never enters the log.
type Sealer struct{ aead cipher.AEAD }

// OpenSealer reads the key at path, or makes it.
func OpenSealer(path string) (*Sealer, error) {
	key, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		key = make([]byte, 32)
		_, _ = rand.Read(key) // never fails
		err = WriteFile(path, key)
	}
	if err != nil {
		return nil, fmt.Errorf("key of secrets: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("key of secrets %s: %w", path, err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("key of secrets %s: %w", path, err)
	}
	return &Sealer{aead}, nil
}

// Seal encrypts; name binds the result to its place, so that one secret cannot
// be passed off as another.
func (s *Sealer) Seal(plain []byte, name string) []byte {
	return s.aead.Seal(nil, nil, plain, []byte(name))
}

// Open decrypts what Seal made for the same name.
func (s *Sealer) Open(sealed []byte, name string) ([]byte, error) {
	plain, err := s.aead.Open(nil, nil, sealed, []byte(name))
	if err != nil {
		return nil, fmt.Errorf("open %s: it was sealed under another key, or altered: %w", name, model.ErrUnavailable)
	}
	return plain, nil
}
