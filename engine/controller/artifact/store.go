package artifact

import (
	"archive/zip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gantry-orchestrator/gantry/engine/api"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/charm"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

// The bounds of an archive.
const (
	maxArchive  = 256 << 20
	maxUnpacked = 1 << 30
	maxFiles    = 10000
	maxText     = 1 << 20 // of one file of metadata
	maxKept     = 8 << 30 // of all archives together
)

// Store implements api.Catalog.
type Store struct {
	dir  string
	room int64 // for all archives together

	mu       sync.Mutex
	byHash   map[string]api.Artifact
	newest   map[model.CharmName]string // hash; an upload hides what is built in
	uploaded map[string]time.Time
}

// Open reads what dir keeps. What is not whole there is removed: it was never
// acknowledged.
func Open(dir string, builtIn []api.Artifact) (*Store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open charms: %w", err)
	}
	s := &Store{dir: dir, room: maxKept, byHash: map[string]api.Artifact{}, newest: map[model.CharmName]string{}, uploaded: map[string]time.Time{}}
	for _, a := range builtIn {
		a.BuiltIn = true
		s.add(a, time.Time{})
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("open charms: %w", err)
	}
	for _, e := range entries {
		hash, whole := strings.CutSuffix(e.Name(), ".charm")
		if !whole {
			_ = os.Remove(filepath.Join(dir, e.Name()))
			continue
		}
		a, err := s.read(filepath.Join(dir, e.Name()), hash)
		if err != nil {
			return nil, err
		}
		info, err := e.Info()
		if err != nil {
			return nil, fmt.Errorf("open charms: %w", err)
		}
		s.add(a, info.ModTime())
	}
	return s, nil
}

func (s *Store) add(a api.Artifact, at time.Time) {
	s.byHash[a.Hash] = a
	name := a.Declared.Meta.Name
	if now, ok := s.newest[name]; !ok || !at.Before(s.uploaded[now]) {
		s.newest[name] = a.Hash
	}
	s.uploaded[a.Hash] = at
}

// List implements api.Catalog.
func (s *Store) List() []api.Artifact {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]api.Artifact, 0, len(s.newest))
	for _, hash := range s.newest {
		list = append(list, s.byHash[hash])
	}
	slices.SortFunc(list, func(a, b api.Artifact) int {
		return strings.Compare(string(a.Declared.Meta.Name), string(b.Declared.Meta.Name))
	})
	return list
}

// Find implements api.Catalog.
func (s *Store) Find(nameOrHash string) (api.Artifact, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if hash, ok := s.newest[model.CharmName(nameOrHash)]; ok {
		return s.byHash[hash], nil
	}
	if a, ok := s.byHash[nameOrHash]; ok {
		return a, nil
	}
	var known []string
	for name := range s.newest {
		known = append(known, string(name))
	}
	slices.Sort(known)
	return api.Artifact{}, fmt.Errorf("charm %q%s: %w", nameOrHash, model.DidYouMean(nameOrHash, known), model.ErrNotFound)
}

// Open implements api.Catalog. What is built in is no archive: an agent has it
// already.
func (s *Store) Open(hash string) (io.ReadCloser, error) {
	f, err := os.Open(s.path(hash))
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("archive of charm %s: %w", hash, model.ErrNotFound)
	}
	return f, err
}

func (s *Store) path(hash string) string { return filepath.Join(s.dir, filepath.Base(hash)+".charm") }

// Has reports whether an uploaded archive is kept.
func (s *Store) Has(hash string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, ok := s.uploaded[hash]
	return ok && !at.IsZero()
}

// Archives implements api.Catalog.
func (s *Store) Archives() (list []operator.CharmArchive) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, hash := range slices.Sorted(maps.Keys(s.uploaded)) {
		if at := s.uploaded[hash]; !at.IsZero() {
			list = append(list, operator.CharmArchive{Hash: hash, Uploaded: at})
		}
	}
	return list
}

// Keep stores the archive of a hash as it was uploaded elsewhere. Another one
// is refused.
func (s *Store) Keep(archive io.Reader, wanted operator.CharmArchive) error {
	_, err := s.keep(archive, wanted)
	return err
}

// Put implements api.Catalog. An archive that could write outside its
// directory, or that is too large once unpacked, is refused and leaves nothing.
func (s *Store) Put(archive io.Reader) (api.Artifact, error) {
	return s.keep(archive, operator.CharmArchive{Uploaded: time.Now()})
}

func (s *Store) keep(archive io.Reader, wanted operator.CharmArchive) (api.Artifact, error) {
	f, err := os.CreateTemp(s.dir, ".upload-*")
	if err != nil {
		return api.Artifact{}, fmt.Errorf("keep charm: %w", err)
	}
	defer os.Remove(f.Name())
	defer f.Close()
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(f, sum), io.LimitReader(archive, maxArchive+1))
	switch {
	case err != nil:
		return api.Artifact{}, fmt.Errorf("receive charm: %w", err)
	case n > maxArchive:
		return api.Artifact{}, fmt.Errorf("charm is larger than %d MiB: %w", maxArchive>>20, model.ErrInvalid)
	}
	hash := hex.EncodeToString(sum.Sum(nil))
	if wanted.Hash != "" && wanted.Hash != hash {
		return api.Artifact{}, fmt.Errorf("charm %s arrived as %s: %w", wanted.Hash, hash, model.ErrInvalid)
	}
	a, err := s.read(f.Name(), hash)
	if err != nil {
		return api.Artifact{}, err
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return api.Artifact{}, fmt.Errorf("keep charm: %w", err)
	}
	if err := s.roomFor(n, hash); err != nil && wanted.Hash == "" {
		return api.Artifact{}, err
	}
	// The time of upload says which of a name is the newest.
	if err := errors.Join(os.Chtimes(f.Name(), wanted.Uploaded, wanted.Uploaded), os.Rename(f.Name(), s.path(hash))); err != nil {
		return api.Artifact{}, fmt.Errorf("keep charm: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.add(a, wanted.Uploaded)
	return a, nil
}

// roomFor refuses an upload that would make the archives too many: who may
// write one model must not fill the controller's disk.
func (s *Store) roomFor(n int64, hash string) error {
	if s.Has(hash) {
		return nil
	}
	for _, a := range s.Archives() {
		if info, err := os.Stat(s.path(a.Hash)); err == nil {
			n += info.Size()
		}
	}
	if n > s.room {
		return fmt.Errorf("the uploaded charms take %d MiB, over %d: ask an administrator to make room: %w", n>>20, s.room>>20, model.ErrInvalid)
	}
	return nil
}

// read checks an archive and reads what the charm declares.
func (s *Store) read(file, hash string) (api.Artifact, error) {
	z, err := zip.OpenReader(file)
	if err != nil {
		return api.Artifact{}, fmt.Errorf("charm %s: %w: %w", hash, err, model.ErrInvalid)
	}
	defer z.Close()
	if err := check(z.File); err != nil {
		return api.Artifact{}, fmt.Errorf("charm %s: %w", hash, err)
	}
	declared, err := declares(&z.Reader)
	if err != nil {
		return api.Artifact{}, fmt.Errorf("charm %s: %w", hash, err)
	}
	return api.Artifact{Hash: hash, Location: "archive:" + hash, Declared: *declared}, nil
}

// check refuses what would be written outside the charm's directory, links,
// devices, doubles, and bombs.
func check(files []*zip.File) error {
	if len(files) > maxFiles {
		return fmt.Errorf("%d files, over %d: %w", len(files), maxFiles, model.ErrInvalid)
	}
	var total uint64
	seen, plain := map[string]bool{}, map[string]bool{}
	for _, f := range files {
		name := strings.TrimSuffix(f.Name, "/")
		switch {
		case name == "" || path.IsAbs(name) || path.Clean(name) != name || name == ".." || strings.HasPrefix(name, "../") || strings.ContainsAny(name, "\\\x00"):
			return fmt.Errorf("file %q is outside the charm: %w", f.Name, model.ErrInvalid)
		case !f.Mode().IsRegular() && !f.Mode().IsDir():
			return fmt.Errorf("file %q is a %v: only files and directories are allowed: %w", f.Name, f.Mode().Type(), model.ErrInvalid)
		case seen[name]:
			return fmt.Errorf("file %q is there twice: %w", f.Name, model.ErrInvalid)
		}
		seen[name], plain[name] = true, f.Mode().IsRegular()
		if total += f.UncompressedSize64; total > maxUnpacked {
			return fmt.Errorf("more than %d MiB unpacked: %w", maxUnpacked>>20, model.ErrInvalid)
		}
	}
	for name := range seen {
		for up := path.Dir(name); up != "."; up = path.Dir(up) {
			if plain[up] {
				return fmt.Errorf("file %q is below the file %q: %w", name, up, model.ErrInvalid)
			}
		}
	}
	return nil
}

// declares reads charm.yaml, or charmcraft.yaml, or Juju's older three files.
func declares(z *zip.Reader) (*charm.Charm, error) {
	for _, name := range []string{"charm.yaml", "charmcraft.yaml"} {
		if text, ok, err := text(z, name); err != nil {
			return nil, err
		} else if ok {
			return parse(name, text, z)
		}
	}
	metadata, ok, err := text(z, "metadata.yaml")
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, fmt.Errorf("neither charm.yaml nor metadata.yaml in it: %w", model.ErrInvalid)
	}
	var c charm.Charm
	if c.Meta, err = charm.ParseMetadata("metadata.yaml", metadata); err != nil {
		return nil, err
	}
	if config, ok, err := text(z, "config.yaml"); err != nil {
		return nil, err
	} else if ok {
		if c.Config, err = charm.ParseConfig("config.yaml", config); err != nil {
			return nil, err
		}
	}
	if actions, ok, err := text(z, "actions.yaml"); err != nil {
		return nil, err
	} else if ok {
		if c.Actions, err = charm.ParseActions(c.Meta.Name, "actions.yaml", actions); err != nil {
			return nil, err
		}
	}
	return &c, nil
}

// parse reads a charm.yaml, with the locks that it names.
func parse(name string, content []byte, z *zip.Reader) (*charm.Charm, error) {
	var unread error
	c, err := charm.ParseWith(name, content, func(lock string) ([]byte, bool) {
		b, ok, err := text(z, lock)
		unread = errors.Join(unread, err)
		return b, ok && err == nil
	})
	return c, errors.Join(unread, err)
}

// text reads a file of metadata; the size that its header claims is not
// believed.
func text(z *zip.Reader, name string) ([]byte, bool, error) {
	f, err := z.Open(name)
	if errors.Is(err, os.ErrNotExist) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("%s: %w: %w", name, err, model.ErrInvalid)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxText+1))
	if err != nil {
		return nil, false, fmt.Errorf("%s: %w: %w", name, err, model.ErrInvalid)
	}
	if len(b) > maxText {
		return nil, false, fmt.Errorf("%s is larger than %d KiB: %w", name, maxText>>10, model.ErrInvalid)
	}
	return b, true, nil
}
