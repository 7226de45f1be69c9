package depot

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/gantry-orchestrator/gantry/engine/provider/internal/store"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
	"github.com/gantry-orchestrator/gantry/model/software"
)

// Place is where a machine with a root of its own has its software.
const Place = "/var/lib/gantry/software"

// Depot is a directory of software, with a directory for each content.
type Depot struct {
	Root string
	// Maven runs Maven's client in a directory; RunMaven outside tests.
	Maven func(ctx context.Context, dir string, args ...string) error
	// Cache is where Maven keeps what it needs itself, for the next fetch. Where
	// it is empty Maven's cache ends with each fetch.
	Cache string
	// Client fetches archives; http.DefaultClient where it is nil.
	Client *http.Client
}

// The names in a store that are no software: what is being fetched, and
// Maven's own cache while that goes on.
const (
	fetching   = ".fetching-"
	mavenCache = ".maven"
	lockName   = ".lock"
)

// Has reports whether a software is there, whole.
func (s Depot) Has(directory string) bool {
	info, err := os.Stat(filepath.Join(s.Root, directory))
	return err == nil && info.IsDir()
}

// Put fetches a software, or verifies what is there of it and makes good what
// is not as it should be. One is fetched at a time. What an interrupted fetch
// has verified is used by the next.
func (s Depot) Put(ctx context.Context, w effect.Software) error {
	if err := os.MkdirAll(s.Root, 0o755); err != nil {
		return fmt.Errorf("fetch %s: %w", w.Name, err)
	}
	unlock, err := s.lock(ctx)
	if err != nil {
		return fmt.Errorf("fetch %s: %w", w.Name, err)
	}
	defer unlock()
	final, partial := filepath.Join(s.Root, w.Directory()), filepath.Join(s.Root, fetching+w.Directory())
	if s.Has(w.Directory()) {
		if verify(final, w) == nil {
			return nil
		}
		if err := setAside(final, partial); err != nil {
			return fmt.Errorf("fetch %s again: %w", w.Name, err)
		}
	}
	if err := os.MkdirAll(partial, 0o755); err != nil {
		return fmt.Errorf("fetch %s: %w", w.Name, err)
	}
	if err := s.fill(ctx, partial, w); err != nil {
		return fmt.Errorf("fetch %s: %w", w, err)
	}
	if err := seal(partial); err != nil {
		return fmt.Errorf("fetch %s: %w", w.Name, err)
	}
	if err := errors.Join(os.Rename(partial, final), syncDir(s.Root), os.RemoveAll(filepath.Join(s.Root, mavenCache))); err != nil {
		return fmt.Errorf("fetch %s: %w", w.Name, err)
	}
	return nil
}

// lock lets one fetch at a time; a process that dies lets go.
func (s Depot) lock(ctx context.Context) (func(), error) {
	f, err := store.LockFile(ctx, filepath.Join(s.Root, lockName))
	if err != nil {
		return nil, err
	}
	return func() { _ = f.Close() }, nil
}

// fill makes a directory hold the software, every file verified.
func (s Depot) fill(ctx context.Context, dir string, w effect.Software) error {
	if w.Archive != nil {
		return s.unpack(ctx, dir, *w.Archive)
	}
	libs := filepath.Join(dir, software.Libs)
	if err := os.MkdirAll(libs, 0o755); err != nil {
		return err
	}
	missing, err := s.unfetched(libs, w.Jars)
	if err != nil || len(missing) == 0 {
		return err
	}
	if err := s.fromMaven(ctx, libs, missing); err != nil {
		return err
	}
	return verify(dir, w)
}

// unfetched are the jars that a former fetch did not leave as they should be;
// what else it left is removed.
func (s Depot) unfetched(libs string, jars []software.Jar) (missing []software.Jar, err error) {
	wanted := map[string]bool{}
	for _, j := range jars {
		wanted[j.File()] = true
		path := filepath.Join(libs, j.File())
		if matches(path, j) == nil {
			continue
		}
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		missing = append(missing, j)
	}
	entries, err := os.ReadDir(libs)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if !wanted[e.Name()] {
			err = errors.Join(err, os.RemoveAll(filepath.Join(libs, e.Name())))
		}
	}
	return missing, err
}

// Remove removes a software; one that is not there is removed already.
func (s Depot) Remove(ctx context.Context, w effect.Software) error {
	if !s.Has(w.Directory()) {
		return nil
	}
	unlock, err := s.lock(ctx)
	if err != nil {
		return fmt.Errorf("remove %s: %w", w.Name, err)
	}
	defer unlock()
	final, gone := filepath.Join(s.Root, w.Directory()), filepath.Join(s.Root, fetching+w.Directory())
	if err := errors.Join(setAside(final, gone), os.RemoveAll(gone)); err != nil {
		return fmt.Errorf("remove %s: %w", w.Name, err)
	}
	// Nobody fetches while the lock is held: an empty root goes, with the lock.
	if entries, err := os.ReadDir(s.Root); err == nil && len(entries) == 1 && entries[0].Name() == lockName {
		return os.RemoveAll(s.Root)
	}
	return nil
}

// seal makes a tree read-only and durable. Files keep their right to be run.
func seal(root string) error {
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.Type()&fs.ModeSymlink != 0 {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		mode := info.Mode().Perm()&0o555 | 0o444
		if e.IsDir() {
			mode = 0o755 // a rename and a removal are root's; users only read
		}
		return os.Chmod(path, mode)
	})
	if err != nil {
		return fmt.Errorf("make it read-only: %w", err)
	}
	d, err := os.Open(root)
	if err != nil {
		return err
	}
	return errors.Join(unix.Syncfs(int(d.Fd())), d.Close())
}

// setAside takes a software out of its place at once. A directory of a machine's
// layer cannot be renamed, and is removed instead.
func setAside(final, aside string) error {
	if err := os.RemoveAll(aside); err != nil {
		return err
	}
	err := os.Rename(final, aside)
	if errors.Is(err, unix.EXDEV) {
		return os.RemoveAll(final)
	}
	return err
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// mismatch is a file that is not what the hash says.
func mismatch(name, algorithm, wanted, found string) error {
	return fmt.Errorf("%s: wanted %s %s, found %s: somebody changed the file, or the lock is of another: %w", name, algorithm, wanted, found, model.ErrConflict)
}
