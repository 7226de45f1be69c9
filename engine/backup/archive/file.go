package archive

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gantry-orchestrator/gantry/model"
)

// suffix ends the name of every archive.
const suffix = ".gantry-backup"

// FileName is what an archive of a moment is called; names sort by time.
func FileName(now time.Time, index uint64) string {
	return fmt.Sprintf("gantry-%s-%d%s", now.UTC().Format("20060102T150405Z"), index, suffix)
}

// Save has an archive written to a file of mode 0600, which is there whole and
// durably, or not at all. A path that is a directory is given a name in it.
func Save(path, name string, write func(io.Writer) error) (string, error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		path = filepath.Join(path, name)
	}
	if _, err := os.Stat(path); err == nil {
		return path, fmt.Errorf("%s is there: name another file: %w", path, model.ErrConflict)
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".backup-*") // mode 0600
	if err != nil {
		return path, fmt.Errorf("write the archive: %w", err)
	}
	defer os.Remove(f.Name())
	defer f.Close()
	if err := write(f); err != nil {
		return path, err
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return path, fmt.Errorf("write the archive: %w", err)
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return path, fmt.Errorf("write the archive: %w", err)
	}
	return path, SyncDir(filepath.Dir(path))
}

// ID is how an archive is called for short: the first of its SHA-256.
func ID(sum string) string { return sum[:min(len(sum), 12)] }

// Prune removes all but the newest archives of a directory, and what a crash
// left of one a day ago. It returns what it removed.
func Prune(dir string, keep int, now time.Time) (removed []string, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("prune backups: %w", err)
	}
	var archives, going []string
	for _, e := range entries {
		switch {
		case strings.HasPrefix(e.Name(), "gantry-") && strings.HasSuffix(e.Name(), suffix):
			archives = append(archives, filepath.Join(dir, e.Name()))
		case strings.HasPrefix(e.Name(), ".backup-"):
			if info, err := e.Info(); err == nil && now.Sub(info.ModTime()) > 24*time.Hour {
				going = append(going, filepath.Join(dir, e.Name()))
			}
		}
	}
	slices.Sort(archives)
	for _, path := range append(going, archives[:max(0, len(archives)-max(keep, 1))]...) {
		if err := os.Remove(path); err != nil {
			return removed, fmt.Errorf("prune backups: %w", err)
		}
		removed = append(removed, path)
	}
	return removed, nil
}

// SyncDir makes the names in a directory durable.
func SyncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("sync %s: %w", dir, err)
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("sync %s: %w", dir, err)
	}
	return nil
}
