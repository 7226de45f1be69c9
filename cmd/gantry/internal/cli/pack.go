package cli

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/charm"
)

// charmProgram is a charm's program, in its directory and in its archive.
const charmProgram = "charm"

// charmMetadata are the files in which charms declare themselves.
var charmMetadata = []string{charm.GantryFile, "charmcraft.yaml", "metadata.yaml", "config.yaml", "actions.yaml"}

// packCharm makes the archive of the charm in a directory: a zip of its
// metadata and of its program, which is built where there is Go source. Equal
// charms have equal bytes.
func packCharm(ctx context.Context, dir string) ([]byte, error) {
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return nil, fmt.Errorf("charm %s: there is no such directory; gantry charm init makes a charm to start from: %w", dir, model.ErrNotFound)
	}
	if _, err := charm.Read(dir, os.DirFS(dir)); err != nil {
		return nil, err
	}
	program, err := charmBinary(ctx, dir)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	archive := zip.NewWriter(&out)
	for _, name := range charmMetadata {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err = errors.Join(err, addFile(archive, name, 0o644, b)); err != nil {
			return nil, fmt.Errorf("pack charm %s: %w", dir, err)
		}
	}
	if err := errors.Join(addFile(archive, charmProgram, 0o755, program), archive.Close()); err != nil {
		return nil, fmt.Errorf("pack charm %s: %w", dir, err)
	}
	return out.Bytes(), nil
}

// addFile adds a file without a time, so that only its content counts.
func addFile(archive *zip.Writer, name string, mode fs.FileMode, body []byte) error {
	h := &zip.FileHeader{Name: name, Method: zip.Deflate}
	h.SetMode(mode)
	w, err := archive.CreateHeader(h)
	if err != nil {
		return err
	}
	_, err = w.Write(body)
	return err
}

// charmBinary takes the program of a charm, or builds it where there is source
// that is newer.
func charmBinary(ctx context.Context, dir string) ([]byte, error) {
	sources, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return nil, fmt.Errorf("charm %s: %w", dir, err)
	}
	built, err := os.Stat(filepath.Join(dir, charmProgram))
	if err == nil && !slices.ContainsFunc(sources, func(source string) bool { return changedSince(source, built.ModTime()) }) {
		return os.ReadFile(filepath.Join(dir, charmProgram))
	}
	if len(sources) == 0 {
		return nil, fmt.Errorf("charm %s: there is neither Go source nor a program named %s in it: %w", dir, charmProgram, model.ErrNotFound)
	}
	return buildCharm(ctx, dir)
}

func changedSince(file string, at time.Time) bool {
	info, err := os.Stat(file)
	return err != nil || info.ModTime().After(at)
}

func buildCharm(ctx context.Context, dir string) ([]byte, error) {
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
