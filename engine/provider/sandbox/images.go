package sandbox

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/gantry-orchestrator/gantry/engine/provider"
	"github.com/gantry-orchestrator/gantry/engine/provider/internal/store"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// images makes what the disks of machines stand on: bases, and layers of
// packages over them. Each is made once in the cache, appears by a rename, and
// is never changed from then on.
type images struct {
	cache    string
	hidden   []string // directories of this install, for the host base
	maven    func(ctx context.Context, dir string, args ...string) error
	log      *slog.Logger
	progress func(provider.Progress)
}

// base is the bottom of a disk.
type base struct {
	key   string   // changes with what it holds
	lower []string // the uppermost first
}

// lower returns the layers of a disk, the uppermost first, and makes what is
// missing of them, for the machine of a directory. That takes minutes at first.
func (m images) lower(ctx context.Context, name string, packages []string, software []effect.Software, user string) ([]string, error) {
	below, err := m.system(ctx, name, packages, user)
	if err != nil {
		return nil, err
	}
	above, err := m.software(ctx, software, user)
	return append(above, below...), err
}

// system returns the layers of packages and base.
func (m images) system(ctx context.Context, name string, packages []string, user string) ([]string, error) {
	var b base
	var err error
	if name == provider.BaseHost {
		b, err = m.hostBase()
	} else {
		b, err = m.debianBase(ctx)
	}
	if err != nil || len(packages) == 0 {
		return b.lower, err
	}
	layer, err := m.layer(ctx, b, packages, user)
	if err != nil {
		return nil, err
	}
	return append([]string{layer}, b.lower...), nil
}

// once makes an image at a path under the cache, unless it is there: build
// fills a directory that becomes the image by a rename. Among all callers on
// this host one builds, and the others wait. The lock is inherited by what
// build starts, so that an orphan of a killed builder is waited for too.
func (m images) once(ctx context.Context, path string, build func(dir string, lock *os.File) error) error {
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	lock, err := store.LockFile(ctx, m.lockOf(path))
	if err != nil {
		return err
	}
	defer lock.Close()
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	partial := path + ".partial"
	if err := os.RemoveAll(partial); err != nil {
		return fmt.Errorf("remove a partial image: %w", err)
	}
	if err := os.MkdirAll(partial, 0o755); err != nil {
		return fmt.Errorf("make image: %w", err)
	}
	defer os.RemoveAll(partial)
	if err := build(partial, lock); err != nil {
		return err
	}
	if err := syncTree(partial); err != nil {
		return err
	}
	return os.Rename(partial, path)
}

// lockOf is the lock of an image among all callers on this host.
func (m images) lockOf(path string) string {
	return filepath.Join(m.cache, "locks", strings.ReplaceAll(strings.TrimPrefix(path, m.cache+"/"), "/", "-"))
}

// syncTree makes an image durable before its name says that it is whole.
func syncTree(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := unix.Syncfs(int(f.Fd())); err != nil {
		return fmt.Errorf("write image to disk: %w", err)
	}
	return nil
}

func digest(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:8])
}
