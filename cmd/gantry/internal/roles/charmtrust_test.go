package roles

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gantry-orchestrator/gantry/engine/client"
	"github.com/gantry-orchestrator/gantry/engine/controller/pki"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// shelf hands out one archive, while it is in reach.
type shelf struct {
	archive []byte
	signer  *pki.CharmSigner // nil: nothing is signed
	away    bool
}

func (s *shelf) FetchCharm(_ context.Context, _ string, to io.Writer) error {
	if s.away {
		return model.ErrUnavailable
	}
	_, err := to.Write(s.archive)
	return err
}

func (s *shelf) SignCharm(_ context.Context, revision string) ([]byte, error) {
	if s.signer == nil {
		return nil, nil
	}
	return s.signer.Sign(revision)
}

// trusting is a machine's charm host with a shelf that its authority signs.
func trusting(t *testing.T) (*charmHost, *shelf, effect.Charm) {
	t.Helper()
	authority, err := pki.OpenAuthority(t.TempDir(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	signer, err := authority.NewCharmSigner("c", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, name := range []string{"charm", "templates/a.conf"} {
		w, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte("content of " + name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	identity := filepath.Join(t.TempDir(), "agent.json")
	if err := (client.Context{CA: authority.PEM()}).Save(identity); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(b.Bytes())
	s := &shelf{archive: b.Bytes(), signer: signer}
	c := &charmHost{controller: s, identity: identity, dir: t.TempDir(), trusted: map[string]bool{}}
	return c, s, effect.Charm{Name: "hello", Revision: hex.EncodeToString(sum[:])}
}

// restarted is the same machine after its agent was started again.
func restarted(c *charmHost) *charmHost {
	return &charmHost{controller: c.controller, identity: c.identity, dir: c.dir, trusted: map[string]bool{}}
}

func TestACharmThatNobodySignedIsNotRun(t *testing.T) {
	c, s, charm := trusting(t)
	s.signer = nil
	if err := c.fetch(t.Context(), charm); !errors.Is(err, model.ErrDenied) || !strings.Contains(err.Error(), "not signed") {
		t.Errorf("unsigned: %v", err)
	}
	if _, err := os.Stat(c.artifact(charm)); err == nil {
		t.Error("it was unpacked")
	}
}

func TestWhatWasAlteredOnTheMachineIsNotRun(t *testing.T) {
	flip := func(t *testing.T, path string) {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		b[len(b)/2] ^= 1
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for rule, alter := range map[string]func(*testing.T, *charmHost, effect.Charm){
		"a byte of the program":   func(t *testing.T, c *charmHost, a effect.Charm) { flip(t, filepath.Join(c.artifact(a), "charm")) },
		"a byte of the archive":   func(t *testing.T, c *charmHost, a effect.Charm) { flip(t, c.archive(a)) },
		"a byte of the signature": func(t *testing.T, c *charmHost, a effect.Charm) { flip(t, c.signature(a)) },
		"the signature removed":   func(t *testing.T, c *charmHost, a effect.Charm) { _ = os.Remove(c.signature(a)) },
		"a file added": func(t *testing.T, c *charmHost, a effect.Charm) {
			if err := os.WriteFile(filepath.Join(c.artifact(a), "more"), nil, 0o644); err != nil {
				t.Fatal(err)
			}
		},
		"the program made a link": func(t *testing.T, c *charmHost, a effect.Charm) {
			program := filepath.Join(c.artifact(a), "charm")
			if err := errors.Join(os.Rename(program, program+"-elsewhere"), os.Symlink("charm-elsewhere", program)); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(rule, func(t *testing.T) {
			c, s, charm := trusting(t)
			if err := c.fetch(t.Context(), charm); err != nil {
				t.Fatal(err)
			}
			s.away = true
			if err := restarted(c).fetch(t.Context(), charm); err != nil {
				t.Fatalf("unaltered, with nobody in reach: %v", err)
			}
			alter(t, c, charm)
			if err := restarted(c).fetch(t.Context(), charm); !errors.Is(err, model.ErrDenied) {
				t.Errorf("altered, with nobody in reach: %v", err)
			}
			s.away = false
			if err := restarted(c).fetch(t.Context(), charm); err != nil {
				t.Errorf("it is not fetched anew: %v", err)
			}
		})
	}
}
