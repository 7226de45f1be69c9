package operate

import (
	"crypto/rand"
	"fmt"
	"os"
	"strings"

	"github.com/gantry-orchestrator/gantry/model"
)

// Local is the cluster with what an action, which has no secrets of its own,
// reads in the node's files: the password, and, with TLS, the node's key with
// its certificate and whom to trust.
func (c Cluster) Local(passwordFile, certFile, trustFile string) (Cluster, error) {
	read := func(file string) (text string, err error) {
		b, err := os.ReadFile(file)
		if err != nil {
			return "", fmt.Errorf("the node has yet to be set up: %w: %w", err, model.ErrUnavailable)
		}
		return strings.TrimSpace(string(b)), nil
	}
	var err error
	if c.Password, err = read(passwordFile); err != nil || certFile == "" {
		return c, err
	}
	if c.Cert, err = read(certFile); err != nil {
		return c, err
	}
	c.Key = c.Cert // tls.X509KeyPair takes of both what it looks for
	c.Trust, err = read(trustFile)
	return c, err
}

// NewPassword is a random password.
func NewPassword() string { return rand.Text() }
