package cli

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/charm"
)

// The files of a charm's archive: what it declares, and its program.
const charmProgram = "charm"

// packCharm makes the archive of the charm in a directory: a gzipped tar of
// charm.yaml and of its program, which is built where there is Go source. Equal
// charms have equal bytes.
func packCharm(ctx context.Context, dir string) ([]byte, error) {
	declared, err := os.ReadFile(filepath.Join(dir, charm.GantryFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("charm %s: there is no %s in it; gantry charm init makes a charm to start from: %w", dir, charm.GantryFile, model.ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("charm %s: %w", dir, err)
	}
	if _, err := charm.Read(dir, os.DirFS(dir)); err != nil {
		return nil, err
	}
	program, err := charmBinary(ctx, dir)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	zipped := gzip.NewWriter(&out)
	archive := tar.NewWriter(zipped)
	for _, f := range []struct {
		name string
		mode int64
		body []byte
	}{{charm.GantryFile, 0o644, declared}, {charmProgram, 0o755, program}} {
		if err := archive.WriteHeader(&tar.Header{Name: f.name, Mode: f.mode, Size: int64(len(f.body)), Typeflag: tar.TypeReg}); err != nil {
			return nil, fmt.Errorf("pack charm %s: %w", dir, err)
		}
		if _, err := archive.Write(f.body); err != nil {
			return nil, fmt.Errorf("pack charm %s: %w", dir, err)
		}
	}
	if err := errors.Join(archive.Close(), zipped.Close()); err != nil {
		return nil, fmt.Errorf("pack charm %s: %w", dir, err)
	}
	return out.Bytes(), nil
}

// charmBinary builds the program of a charm, or takes the one that is there.
func charmBinary(ctx context.Context, dir string) ([]byte, error) {
	sources, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return nil, fmt.Errorf("charm %s: %w", dir, err)
	}
	if len(sources) == 0 {
		b, err := os.ReadFile(filepath.Join(dir, charmProgram))
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("charm %s: there is neither Go source nor a program named %s in it: %w", dir, charmProgram, model.ErrNotFound)
		}
		return b, err
	}
	scratch, err := os.MkdirTemp("", "gantry-charm-")
	if err != nil {
		return nil, fmt.Errorf("build charm %s: %w", dir, err)
	}
	defer os.RemoveAll(scratch)
	target := filepath.Join(scratch, charmProgram)
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w -buildid=", "-o", target, ".")
	build.Dir = dir
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if said, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build charm %s: %w\n%s", dir, err, strings.TrimSpace(string(said)))
	}
	return os.ReadFile(target)
}
