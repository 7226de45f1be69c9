package cli

import (
	"errors"
	"os"
	"path/filepath"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/bundle"
	"github.com/gantry-orchestrator/gantry/model/charm"
)

// bundleFile is a bundle as it was read, with the places of its parts.
type bundleFile struct {
	*bundle.Bundle
	dir string // of the bundle's file
}

// locate is the controller's refusal of a bundle with the places in the
// operator's own files: the controller has seen the merged bundle alone. A
// refusal that cannot be found again stays as it is.
func (sh *shell) locate(refusal error, b bundleFile) error {
	if !errors.Is(refusal, model.ErrInvalid) && !errors.Is(refusal, model.ErrNotFound) || sh.Charms == nil {
		return refusal
	}
	stranger := false
	err := b.CheckCharms(func(ref bundle.CharmRef) *charm.Charm {
		c := sh.declared(b.dir, ref)
		stranger = stranger || c == nil && !errors.Is(refusal, model.ErrNotFound)
		return c
	})
	if err == nil || stranger {
		return refusal
	}
	return err
}

// declared is what a charm declares that is built in or the operator's own,
// nil for another.
func (sh *shell) declared(dir string, ref bundle.CharmRef) *charm.Charm {
	files := sh.Charms(ref.Name)
	if ref.IsLocal() {
		files = os.DirFS(resolve(dir, ref.Path))
	}
	if files == nil {
		return nil
	}
	c, err := charm.Read(ref.String(), files)
	if err != nil {
		return nil
	}
	return c
}

// resolve is a path that a bundle in a directory names.
func resolve(dir, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}
