package backup

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/gantry-orchestrator/gantry/engine/backup/archive"
	"github.com/gantry-orchestrator/gantry/engine/consensus"
	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/model"
)

// Restored says what a controller's directory was made from.
type Restored struct {
	archive.Written
	Controller string // the new one's ID
	Epoch      model.Epoch
}

// Restore makes the directory of a controller that begins where an archive
// ends. The directory appears whole or not at all; one that is there already
// is refused.
func Restore(ctx context.Context, file, dir string, opener archive.Opener, now time.Time) (out Restored, err error) {
	if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
		return out, fmt.Errorf("%s is the directory of a controller: nothing was changed; restore elsewhere, or move it away once that controller is stopped for good: %w", dir, model.ErrConflict)
	}
	if out.Written, err = archive.Verify(file); err != nil {
		return out, err
	}
	temporary := strings.TrimRight(dir, "/") + ".restoring"
	if err := os.RemoveAll(temporary); err != nil {
		return out, fmt.Errorf("restore: %w", err)
	}
	defer os.RemoveAll(temporary)
	for _, folder := range []string{"pki", "charms"} {
		if err := os.MkdirAll(filepath.Join(temporary, folder), 0o700); err != nil {
			return out, fmt.Errorf("restore: %w", err)
		}
	}
	out.Controller = uuid.NewString()
	if err := writeFile(filepath.Join(temporary, "id"), strings.NewReader(out.Controller)); err != nil {
		return out, err
	}
	r := restore{dir: temporary, id: out.Controller, opener: opener, backup: out.SHA256, now: now}
	_, err = archive.Walk(file, func(m archive.Manifest, p archive.Part, from io.Reader) error {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("restore: %w", err)
		}
		return r.part(m, p, from)
	})
	if err != nil {
		return out, err
	}
	if err := syncDirs(temporary); err != nil {
		return out, err
	}
	_ = os.Remove(dir) // where it is there, it is empty
	if err := os.Rename(temporary, dir); err != nil {
		return out, fmt.Errorf("restore: %w", err)
	}
	out.Epoch = r.epoch
	return out, archive.SyncDir(filepath.Dir(dir))
}

// maxCA bounds the certificate of an authority.
const maxCA = 1 << 20

// restore is one under way.
type restore struct {
	dir, id, backup string
	opener          archive.Opener
	now             time.Time
	epoch           model.Epoch
	ca              []byte
}

func (r *restore) part(m archive.Manifest, p archive.Part, from io.Reader) (err error) {
	switch p.Name {
	case archive.State:
		return r.state(m, from)
	case archive.CA:
		if r.ca, err = io.ReadAll(io.LimitReader(from, maxCA)); err != nil {
			return fmt.Errorf("restore: %w", err)
		}
		return writeFile(filepath.Join(r.dir, "pki", "ca.crt"), strings.NewReader(string(r.ca)))
	case archive.Keys, archive.SealedKeys:
		return r.keys(m, from)
	default: // a charm: the manifest was checked
		return writeFile(filepath.Join(r.dir, p.Name), from)
	}
}

// state founds the log of a single member with the state of the next epoch.
func (r *restore) state(m archive.Manifest, from io.Reader) error {
	s, err := decodeState(m, from)
	if err != nil {
		return err
	}
	s = s.Restored(r.backup, strings.ReplaceAll(r.id, "-", "")[:12], r.now)
	r.epoch = s.Epoch()
	return found(filepath.Join(r.dir, "raft"), r.id, s)
}

func found(dir, id string, s state.State) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	read, write := io.Pipe()
	var g errgroup.Group
	g.Go(func() error { return write.CloseWithError(s.Encode(write)) })
	_, err := consensus.Found(dir, id, id, read)
	return errors.Join(err, read.Close(), g.Wait())
}

func decodeState(m archive.Manifest, from io.Reader) (state.State, error) {
	s, err := state.Decode(from)
	if err != nil {
		return s, fmt.Errorf("read part %s, written by gantry %s: %w", archive.State, m.Gantry, err)
	}
	if s.Index() != m.Index || s.Revision() != m.Revision {
		return s, archive.Damaged("manifest.json", "it says index %d and revision %d, the state %d and %d", m.Index, m.Revision, s.Index(), s.Revision())
	}
	return s, nil
}

// keys writes the private part once it is known to belong to the rest.
func (r *restore) keys(m archive.Manifest, from io.Reader) error {
	files, err := r.opener.Unpack(from, m.Sealed)
	if err != nil {
		return err
	}
	if err := belongs(m, r.ca, files); err != nil {
		return err
	}
	for name, content := range files {
		path := filepath.Join(r.dir, filepath.Clean("/"+name))
		if err := writeFile(path, strings.NewReader(string(content))); err != nil {
			return err
		}
	}
	return nil
}

// belongs says whether keys are those of the authority and of the secrets.
func belongs(m archive.Manifest, ca []byte, files map[string][]byte) error {
	if _, err := tls.X509KeyPair(ca, files[archive.CAKey]); err != nil {
		return archive.Damaged(archive.Keys, "the authority's key is not that of its certificate: %v", err)
	}
	if sum := sha256.Sum256(files[archive.SecretsKey]); hex.EncodeToString(sum[:]) != m.SecretsKey {
		return archive.Damaged(archive.Keys, "the key of secrets is not the one that the manifest names")
	}
	return nil
}

// writeFile writes a private file durably.
func writeFile(path string, from io.Reader) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	_, err = io.Copy(f, from)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("restore %s: %w", filepath.Base(path), err)
	}
	return nil
}

// syncDirs makes the names in a directory and below it durable.
func syncDirs(dir string) error {
	return filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		return archive.SyncDir(path)
	})
}
