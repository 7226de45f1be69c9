package roles

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"github.com/gantry-orchestrator/gantry/engine/client"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// artifacts hands out charms and vouches for them.
type artifacts interface {
	FetchCharm(ctx context.Context, revision string, to io.Writer) error
	SignCharm(ctx context.Context, revision string) ([]byte, error)
}

// The archive and the signature of an artifact are kept beside what was
// unpacked, so that it is checked with no controller in reach.
func (c *charmHost) archive(charm effect.Charm) string   { return c.artifact(charm) + ".charm" }
func (c *charmHost) signature(charm effect.Charm) string { return c.artifact(charm) + ".signature" }

// trust reports why what this machine has of a charm is not what a controller
// signed; nil where it is. It looks once for each start of the agent.
func (c *charmHost) trust(charm effect.Charm) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.trusted[charm.Revision] {
		return nil
	}
	signature, err := os.ReadFile(c.signature(charm))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("signature of charm %s: %w", charm.Name, err)
	}
	identity, err := client.Load(c.identity)
	if err != nil {
		return err
	}
	if err := client.VerifyCharm(identity.CA, charm.Revision, signature); err != nil {
		return err
	}
	archive, err := os.ReadFile(c.archive(charm))
	if err != nil {
		return fmt.Errorf("archive of charm %s: %w", charm.Name, err)
	}
	if sum := sha256.Sum256(archive); hex.EncodeToString(sum[:]) != charm.Revision {
		return fmt.Errorf("charm %s: its archive on this machine was altered: it is not run: %w", charm.Name, model.ErrDenied)
	}
	if err := same(archive, c.artifact(charm)); err != nil {
		return fmt.Errorf("charm %s: what was unpacked of it was altered: it is not run: %w: %w", charm.Name, err, model.ErrDenied)
	}
	c.trusted[charm.Revision] = true
	return nil
}

// same compares what was unpacked with its archive: every file, and no other.
func same(archive []byte, dir string) error {
	z, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		return err
	}
	known := map[string]bool{".": true}
	for _, f := range z.File {
		name := path.Clean(f.Name)
		for up := name; up != "."; up = path.Dir(up) {
			known[up] = true
		}
		if f.FileInfo().IsDir() {
			continue
		}
		if err := sameFile(f, filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	return filepath.WalkDir(dir, func(at string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, at)
		if err == nil && !known[filepath.ToSlash(name)] {
			err = fmt.Errorf("%s is not of it", name)
		}
		return err
	})
}

func sameFile(f *zip.File, at string) error {
	info, err := os.Lstat(at)
	if err != nil {
		return err
	}
	from, err := f.Open()
	if err != nil {
		return err
	}
	defer from.Close()
	want, err := io.ReadAll(from)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is no file", f.Name)
	}
	if have, err := os.ReadFile(at); err != nil || !bytes.Equal(have, want) {
		return errors.Join(fmt.Errorf("%s differs", f.Name), err)
	}
	return nil
}

// keep stores an archive with its signature, and unpacks it.
func (c *charmHost) keep(ctx context.Context, charm effect.Charm, archive string) error {
	signature, err := c.controller.SignCharm(ctx, charm.Revision)
	if err != nil {
		return fmt.Errorf("signature of charm %s: %w", charm.Name, err)
	}
	identity, err := client.Load(c.identity)
	if err != nil {
		return err
	}
	if err := client.VerifyCharm(identity.CA, charm.Revision, signature); err != nil {
		return err
	}
	for _, old := range []string{c.artifact(charm), c.archive(charm), c.signature(charm)} {
		if err := os.RemoveAll(old); err != nil {
			return fmt.Errorf("replace charm %s: %w", charm.Name, err)
		}
	}
	if err := os.WriteFile(c.signature(charm), signature, 0o644); err != nil {
		return fmt.Errorf("keep charm %s: %w", charm.Name, err)
	}
	if err := unpack(archive, archive+".d", c.artifact(charm)); err != nil {
		return fmt.Errorf("unpack charm %s: %w", charm.Name, err)
	}
	return os.Rename(archive, c.archive(charm))
}
