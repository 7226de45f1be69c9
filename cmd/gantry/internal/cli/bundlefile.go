package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/bundle"
)

// readBundle reads a bundle, lays overlays over it in their order and checks
// what came of it.
func readBundle(file string, overlays []string) (*bundle.Bundle, []bundle.Warning, error) {
	data, err := readFile(file)
	if err != nil {
		return nil, nil, err
	}
	b, warnings, err := bundle.Parse(file, data, os.DirFS(filepath.Dir(file)))
	if err != nil {
		return nil, warnings, err
	}
	for _, overlay := range overlays {
		data, err := readFile(overlay)
		if err != nil {
			return nil, warnings, err
		}
		laid, more, err := b.Overlay(overlay, data, os.DirFS(filepath.Dir(overlay)))
		warnings = append(warnings, more...)
		if err != nil {
			return nil, warnings, err
		}
		b = laid
	}
	return b, warnings, errors.Join(b.Validate(), bundle.Unsupported(b))
}

// readFile reads a file that an operator named.
func readFile(file string) ([]byte, error) {
	b, err := os.ReadFile(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%s: there is no such file: %w", file, model.ErrNotFound)
	case err != nil:
		return nil, fmt.Errorf("read bundle: %w", err)
	}
	return b, nil
}

// uploadCharms uploads the local charms of a bundle and returns the bundle
// that names them as they name themselves.
func (s *session) uploadCharms(ctx context.Context, b bundleFile) (*bundle.Bundle, error) {
	sent := *b.Bundle
	sent.Applications = slices.Clone(b.Applications)
	for i, app := range sent.Applications {
		if !app.Charm.IsLocal() {
			continue
		}
		uploaded, err := s.upload(ctx, resolve(b.dir, app.Charm.Path))
		if err != nil {
			return nil, model.At(b.CharmPosition(app.Name), fmt.Errorf("application %s: %w", app.Name, err))
		}
		sent.Applications[i].Charm = bundle.CharmRef{Name: uploaded.Name}
	}
	return &sent, nil
}
