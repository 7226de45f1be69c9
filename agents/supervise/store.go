package supervise

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/gantry-orchestrator/gantry/model"
)

// store keeps one file a service in a directory. A save is on disk when it
// returns; a crash at any point leaves the old or the new record, never half.
type store struct {
	dir string

	mu    sync.Mutex
	saved map[string][]byte // last bytes by service id
}

const recordSuffix = ".json"

func openStore(dir string) (*store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open state directory: %w", err)
	}
	return &store{dir: dir, saved: map[string][]byte{}}, nil
}

func (s *store) path(id string) string {
	return filepath.Join(s.dir, url.PathEscape(id)+recordSuffix)
}

// save writes r unless that is what was written last. Several services may be
// saved at once.
func (s *store) save(r *record) error {
	b, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("save service %s: %w", r.Spec.ID, err)
	}
	if s.holds(r.Spec.ID, b) {
		return nil
	}
	if err := replaceFile(s.path(r.Spec.ID), b); err != nil {
		return fmt.Errorf("save service %s: %w: %w", r.Spec.ID, err, model.ErrUnavailable)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.saved[r.Spec.ID] = b
	return nil
}

// unsaved reports whether save would write.
func (s *store) unsaved(r *record) bool {
	b, err := json.Marshal(r)
	return err != nil || !s.holds(r.Spec.ID, b)
}

func (s *store) holds(id string, b []byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return bytes.Equal(b, s.saved[id])
}

func (s *store) remove(id string) error {
	s.mu.Lock()
	delete(s.saved, id)
	s.mu.Unlock()
	if err := os.Remove(s.path(id)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("forget service %s: %w", id, err)
	}
	return syncDir(s.dir)
}

// load reads all records. A file that cannot be read as one (a disk lost part
// of it) is renamed to *.bad and reported, so that the others are not held up
// and nothing is destroyed.
func (s *store) load() (records []*record, damaged []error, err error) {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return nil, nil, fmt.Errorf("load services: %w", err)
	}
	for _, e := range entries {
		path := filepath.Join(s.dir, e.Name())
		if strings.HasSuffix(path, tempSuffix) {
			_ = os.Remove(path) // a save that was cut short; the old record stands
			continue
		}
		if !strings.HasSuffix(path, recordSuffix) {
			continue
		}
		r, err := s.read(path)
		if err != nil {
			damaged = append(damaged, errors.Join(err, os.Rename(path, path+".bad")))
			continue
		}
		records = append(records, r)
	}
	return records, damaged, nil
}

func (s *store) read(path string) (*record, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("load service: %w", err)
	}
	r := &record{}
	if err := json.Unmarshal(b, r); err != nil {
		return nil, fmt.Errorf("load service from %s: %w", path, err)
	}
	if err := r.Spec.Validate(); err != nil {
		return nil, fmt.Errorf("load service from %s: %w", path, err)
	}
	if s.path(r.Spec.ID) != path {
		return nil, fmt.Errorf("load service from %s: it holds %q: %w", path, r.Spec.ID, model.ErrInvalid)
	}
	s.saved[r.Spec.ID] = b
	return r, nil
}

const tempSuffix = ".tmp"

func replaceFile(path string, b []byte) error {
	tmp := path + tempSuffix
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(tmp, path)
	}
	if err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
