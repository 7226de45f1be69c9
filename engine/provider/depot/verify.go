package depot

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
	"github.com/gantry-orchestrator/gantry/model/software"
)

// verify compares every jar with its hash, and finds what is none of them. An
// archive was verified before it was unpacked.
func verify(dir string, w effect.Software) error {
	if w.Archive != nil {
		return nil
	}
	libs := filepath.Join(dir, software.Libs)
	var errs []error
	wanted := map[string]bool{}
	for _, j := range w.Jars {
		wanted[j.File()] = true
		errs = append(errs, matches(filepath.Join(libs, j.File()), j))
	}
	entries, err := os.ReadDir(libs)
	errs = append(errs, err)
	for _, e := range entries {
		if !wanted[e.Name()] {
			errs = append(errs, fmt.Errorf("%s: the lock has no such file: %w", e.Name(), model.ErrConflict))
		}
	}
	return errors.Join(errs...)
}

// matches compares a file with the jar that it should be.
func matches(path string, j software.Jar) error {
	found, err := hashFile(path, sha256.New())
	if err != nil {
		return fmt.Errorf("%s: %w", j.Coordinates, err)
	}
	if found != j.SHA256 {
		return mismatch(j.File()+" ("+j.Coordinates+")", "sha256", j.SHA256, found)
	}
	return nil
}

func hashFile(path string, h hash.Hash) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
