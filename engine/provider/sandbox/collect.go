package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gantry-orchestrator/gantry/engine/provider/internal/store"
)

// layerAge is how long a layer stays that no machine stands on.
const layerAge = 14 * 24 * time.Hour

// usersDir holds, beside a layer's root, a file for each machine that stands on
// it: with the directory of the machine, of whichever install. A layer without
// it was made by a gantry that keeps no such files, and is left alone.
const usersDir = "users"

func (m images) layers() string { return filepath.Join(m.cache, "layers") }

// use notes that the machine of a directory stands on a layer, and reports
// whether the layer is there.
func (m images) use(ctx context.Context, layer, machine string) (bool, error) {
	lock, err := store.LockFile(ctx, m.lockOf(layer))
	if err != nil {
		return false, err
	}
	defer lock.Close()
	if _, err := os.Stat(filepath.Join(layer, "root")); errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	users := filepath.Join(layer, usersDir)
	if err := os.MkdirAll(users, 0o700); err != nil {
		return false, fmt.Errorf("note who uses a layer: %w", err)
	}
	if err := os.WriteFile(filepath.Join(users, digest(machine)), []byte(machine), 0o600); err != nil {
		return false, fmt.Errorf("note who uses a layer: %w", err)
	}
	return true, syncTree(users)
}

// collect removes the layers that no machine has stood on for layerAge. One
// that is being made or taken into use is locked, and left.
func (m images) collect(now time.Time) error {
	entries, err := os.ReadDir(m.layers())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, e := range entries {
		err = errors.Join(err, m.collectOne(filepath.Join(m.layers(), e.Name()), now))
	}
	return err
}

func (m images) collectOne(layer string, now time.Time) error {
	users := filepath.Join(layer, usersDir)
	if _, err := os.Stat(users); err != nil {
		return nil
	}
	lock, err := os.OpenFile(m.lockOf(layer), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil
	}
	entries, err := os.ReadDir(users)
	if err != nil {
		return err
	}
	for _, e := range entries {
		ref := filepath.Join(users, e.Name())
		machine, err := os.ReadFile(ref)
		if err != nil {
			return err
		}
		if _, err := os.Stat(string(machine)); !errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err := os.Remove(ref); err != nil { // its age begins now
			return err
		}
	}
	info, err := os.Stat(users)
	if err != nil || now.Sub(info.ModTime()) < layerAge {
		return err
	}
	m.log.Info("removing a layer of packages that nobody uses", "layer", layer, "since", info.ModTime())
	gone := layer + ".partial" // as one whose building was cut short
	if err := errors.Join(os.RemoveAll(gone), os.Rename(layer, gone), os.RemoveAll(gone)); err != nil {
		return fmt.Errorf("remove layer %s: %w", layer, err)
	}
	return nil
}
