// Package scaffold writes a new charm, small but whole: metadata, code, a
// workload of its own and tests. `gantry charm init` is made of it.
package scaffold

import (
	"embed"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/template"
)

//go:embed template
var templates embed.FS

// outputs are the files of a new charm, by template.
var outputs = []struct{ template, file string }{
	{"charm.yaml.tmpl", "charm.yaml"},
	{"charm.go.tmpl", "charm.go"},
	{"charm_test.go.tmpl", "charm_test.go"},
	{"go.mod.tmpl", "go.mod"},
	{"gitignore.tmpl", ".gitignore"},
}

// Init writes a new charm into a directory, which it makes, and returns the
// files written. It overwrites nothing. The name must be that of a charm:
// lower case words joined by dashes. The charm builds against a checkout of
// Gantry, given by its absolute path, or the published module without one.
func Init(dir, name, checkout string) ([]string, error) {
	for _, o := range outputs {
		if _, err := os.Lstat(filepath.Join(dir, o.file)); err == nil {
			return nil, fmt.Errorf("make charm %s: %s is there already: choose another directory", name, filepath.Join(dir, o.file))
		}
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("make charm %s: %w", name, err)
	}
	var written []string
	for _, o := range outputs {
		text, err := render(o.template, name, checkout)
		if err != nil {
			return written, fmt.Errorf("make charm %s: %w", name, err)
		}
		path := filepath.Join(dir, o.file)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return written, fmt.Errorf("make charm %s: %w", name, err)
		}
		written = append(written, path)
	}
	return written, nil
}

func render(file, name, checkout string) (string, error) {
	t, err := template.ParseFS(templates, "template/"+file)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	err = t.Execute(&b, struct{ Name, Checkout string }{name, checkout})
	return b.String(), err
}
