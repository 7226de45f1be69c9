package perform

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// replaceFile writes path whole: aside, flushed, with its owner and mode, then
// renamed over it and the directory flushed.
func replaceFile(path string, content []byte, mode fs.FileMode, owner account) (err error) {
	dir, base := filepath.Split(path)
	aside, err := os.CreateTemp(dir, "."+base+".gantry-*")
	if err != nil {
		return fmt.Errorf("write beside %s: %w", path, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, aside.Close(), os.Remove(aside.Name()))
		}
	}()
	if _, err = aside.Write(content); err != nil {
		return fmt.Errorf("write %s: %w", aside.Name(), err)
	}
	if err = owner.give(aside.Name()); err != nil {
		return err
	}
	if err = aside.Chmod(mode); err != nil { // after the owner: a chown clears set-id bits
		return fmt.Errorf("set the mode of %s: %w", aside.Name(), err)
	}
	if err = aside.Sync(); err != nil {
		return fmt.Errorf("flush %s: %w", aside.Name(), err)
	}
	if err = os.Rename(aside.Name(), path); err != nil {
		return fmt.Errorf("replace %s: %w", path, err)
	}
	if err := aside.Close(); err != nil {
		return fmt.Errorf("close %s: %w", path, err)
	}
	return SyncDir(dir)
}

// SyncDir flushes a directory, so that names in it survive a crash.
func SyncDir(dir string) error {
	if dir == "" {
		dir = "."
	}
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("flush directory %s: %w", dir, err)
	}
	if err := d.Sync(); err != nil {
		return errors.Join(fmt.Errorf("flush directory %s: %w", dir, err), d.Close())
	}
	return d.Close()
}

// missingParents are the directories above path that are not there, the
// outermost first.
func missingParents(path string) (missing []string) {
	for d := filepath.Dir(path); ; d = filepath.Dir(d) {
		if _, err := os.Stat(d); err == nil || d == filepath.Dir(d) {
			return missing
		}
		missing = append([]string{d}, missing...)
	}
}

// makeParents makes the directories above path that are missing, 0755.
func makeParents(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("make the directory of %s: %w", path, err)
	}
	return nil
}

// removeEmpty removes directories that are empty, the innermost first. One
// that holds something of another is left.
func removeEmpty(dirs []string) {
	for i := len(dirs) - 1; i >= 0; i-- {
		if os.Remove(dirs[i]) != nil {
			return
		}
	}
}
