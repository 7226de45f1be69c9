package backup

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gantry-orchestrator/gantry/engine/backup/archive"
	"github.com/gantry-orchestrator/gantry/engine/state"
)

// Source is what an archive is made of.
type Source struct {
	Dir        string // of the controller
	State      state.State
	Controller string // its ID
	Version    string // of gantry
	Now        time.Time
}

// Write writes an archive. The state is encoded twice, first to know its size
// and checksum, so that memory does not grow with it.
func Write(ctx context.Context, to io.Writer, s Source, seal archive.Seal) (archive.Written, error) {
	parts, m, err := s.parts(seal)
	if err == nil {
		var w archive.Written
		if w, err = archive.Write(contextWriter{ctx, to}, m, parts); err == nil {
			return w, nil
		}
	}
	return archive.Written{}, fmt.Errorf("back up: %w", err)
}

// Make writes an archive into a directory, which is made where it is missing.
func Make(ctx context.Context, dir string, s Source, seal archive.Seal) (path string, w archive.Written, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", w, fmt.Errorf("back up: %w", err)
	}
	path, err = archive.Save(dir, archive.FileName(s.Now, s.State.Index()), func(to io.Writer) error {
		w, err = Write(ctx, to, s, seal)
		return err
	})
	return path, w, err
}

func (s Source) parts(seal archive.Seal) ([]archive.Content, archive.Manifest, error) {
	st := s.State
	m := archive.Manifest{
		Gantry: s.Version, Level: st.Level(), Time: s.Now.UTC(), Controller: s.Controller,
		Epoch: st.Epoch(), Index: st.Index(), Revision: st.Revision(), Sealed: seal.Seals(),
	}
	for _, one := range st.Models() {
		m.Models = append(m.Models, archive.ModelSum{Name: one.Name, Revision: one.Revision, SHA256: st.ModelDigest(one.Name)})
	}
	counted := counter{sum: sha256.New()}
	if err := st.Encode(&counted); err != nil {
		return nil, m, err
	}
	encoded := archive.Part{Name: archive.State, Size: counted.size, SHA256: hex.EncodeToString(counted.sum.Sum(nil))}
	ca, err := os.ReadFile(filepath.Join(s.Dir, "pki", archive.CA))
	if err != nil {
		return nil, m, err
	}
	private, err := s.private()
	if err != nil {
		return nil, m, err
	}
	sum := sha256.Sum256(private[archive.SecretsKey])
	m.SecretsKey = hex.EncodeToString(sum[:])
	keys, err := seal.Pack(private)
	if err != nil {
		return nil, m, err
	}
	charms, err := s.charms()
	parts := []archive.Content{{Part: encoded, Write: st.Encode}, archive.Bytes(archive.CA, ca), archive.Bytes(m.KeysPart(), keys)}
	return append(parts, charms...), m, err
}

func (s Source) private() (map[string][]byte, error) {
	files := map[string][]byte{}
	for _, f := range archive.PrivateFiles {
		b, err := os.ReadFile(filepath.Join(s.Dir, f.Name))
		if f.Optional && errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		files[f.Name] = b
	}
	return files, nil
}

// charms are the uploaded charms. A charm's file never changes.
func (s Source) charms() ([]archive.Content, error) {
	entries, err := os.ReadDir(filepath.Join(s.Dir, strings.TrimSuffix(archive.CharmFolder, "/")))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var parts []archive.Content
	for _, e := range entries {
		hash, whole := strings.CutSuffix(e.Name(), archive.CharmSuffix)
		if !whole {
			continue
		}
		info, err := e.Info()
		if err != nil {
			return nil, err
		}
		part := archive.Part{Name: archive.CharmFolder + e.Name(), Size: info.Size(), SHA256: hash}
		parts = append(parts, archive.Content{Part: part, Write: func(w io.Writer) error {
			return copyFile(w, filepath.Join(s.Dir, part.Name))
		}})
	}
	slices.SortFunc(parts, func(a, b archive.Content) int { return strings.Compare(a.Name, b.Name) })
	return parts, nil
}

func copyFile(w io.Writer, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(w, f)
	return err
}

// counter counts and hashes what is written to it.
type counter struct {
	sum  hash.Hash
	size int64
}

// Write implements io.Writer.
func (c *counter) Write(b []byte) (int, error) {
	c.size += int64(len(b))
	return c.sum.Write(b)
}

// contextWriter writes until its context ends.
type contextWriter struct {
	ctx context.Context
	to  io.Writer
}

// Write implements io.Writer.
func (w contextWriter) Write(b []byte) (int, error) {
	if err := w.ctx.Err(); err != nil {
		return 0, err
	}
	return w.to.Write(b)
}
