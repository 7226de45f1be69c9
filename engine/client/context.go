package client

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/gantry-orchestrator/gantry/model"
)

// ServerName is the name in every controller's certificate; addresses come and
// go.
const ServerName = "controller.gantry"

// Context says how to reach a controller, and as whom. Its file holds a
// private key and has mode 0600.
type Context struct {
	Addresses   []string `json:"addresses"`   // host:port
	CA          []byte   `json:"ca"`          // PEM
	Certificate []byte   `json:"certificate"` // PEM
	Key         []byte   `json:"key"`         // PEM
	// Controllers are all that a controller last told of; a client keeps them.
	Controllers []string `json:"controllers,omitempty"` // host:port
	// Epoch is the highest life of the control plane that was heard of, as
	// model.Epoch writes it; a client keeps it.
	Epoch string `json:"epoch,omitempty"`

	file string // that it was loaded from
}

// Load reads a context file. One that others may read is refused.
func Load(path string) (c Context, err error) {
	info, err := os.Stat(path)
	if err != nil {
		if os.IsNotExist(err) {
			return c, fmt.Errorf("context %s does not exist: run gantry up: %w", path, model.ErrNotFound)
		}
		return c, fmt.Errorf("read context: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return c, fmt.Errorf("context %s may be read by others: run chmod 600 %s: %w", path, path, model.ErrDenied)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return c, fmt.Errorf("read context: %w", err)
	}
	if err := json.Unmarshal(b, &c); err != nil {
		return c, fmt.Errorf("context %s: %w: %w", path, err, model.ErrInvalid)
	}
	c.file = path
	return c, nil
}

// learn keeps the controllers in the file that the context is from. Where that
// cannot be written the next start learns them anew.
func (c Context) learn(controllers []string) {
	if c.file == "" {
		return
	}
	kept, err := Load(c.file)
	if err != nil || slices.Equal(kept.Controllers, controllers) {
		return
	}
	kept.Controllers = controllers
	_ = kept.Save(c.file)
}

// Save writes a context file, whole or not at all, in a directory that it
// makes where it is missing.
func (c Context) Save(path string) error {
	b, err := json.MarshalIndent(c, "", "\t")
	if err != nil {
		return fmt.Errorf("encode context: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("save context: %w", err)
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".context-*")
	if err != nil {
		return fmt.Errorf("save context: %w", err)
	}
	defer os.Remove(f.Name())
	if err := writeClosed(f, append(b, '\n'), 0o600); err != nil {
		return fmt.Errorf("save context: %w", err)
	}
	return os.Rename(f.Name(), path)
}

func writeClosed(f *os.File, b []byte, mode fs.FileMode) error {
	defer f.Close()
	if err := f.Chmod(mode); err != nil {
		return err
	}
	if _, err := f.Write(b); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	return f.Close()
}

// tls is the client's side of mutual TLS.
func (c Context) tls() (*tls.Config, error) {
	pair, err := tls.X509KeyPair(c.Certificate, c.Key)
	if err != nil {
		return nil, fmt.Errorf("identity of the context: %w: %w", err, model.ErrInvalid)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(c.CA) {
		return nil, fmt.Errorf("authority of the context is no certificate: %w", model.ErrInvalid)
	}
	return &tls.Config{
		MinVersion:   tls.VersionTLS13,
		Certificates: []tls.Certificate{pair},
		RootCAs:      roots,
		ServerName:   ServerName,
		// Who reconnects is spared a handshake with signatures.
		ClientSessionCache: tls.NewLRUClientSessionCache(8),
	}, nil
}
