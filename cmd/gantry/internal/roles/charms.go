package roles

import (
	"archive/zip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"sync"

	"github.com/gantry-orchestrator/gantry/charms/host"
	"github.com/gantry-orchestrator/gantry/engine/client"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// charmHost runs charms on a machine: built-in ones from this binary, others
// from their artifact, which is fetched once and runs only where a controller
// of this machine's authority has signed it.
type charmHost struct {
	*host.Host
	controller artifacts
	identity   string // file of the machine's own context
	dir        string // of the artifacts

	mu      sync.Mutex
	trusted map[string]bool // by revision
}

func openCharms(at place, controller *client.Agent, log *slog.Logger) (*charmHost, error) {
	c := &charmHost{controller: controller, identity: at.identityFile(), dir: filepath.Join(at.dirs().State, "charms"), trusted: map[string]bool{}}
	var err error
	c.Host, err = host.New(host.Config{Resolve: c.resolve, Dir: filepath.Join(at.run, "charms"), Log: log})
	return c, err
}

// resolve finds the command of a charm's process, which is the same before and
// after an artifact is fetched.
func (c *charmHost) resolve(charm effect.Charm) ([]string, error) {
	if !builtIn(charm) {
		return []string{filepath.Join(c.artifact(charm), "charm")}, nil
	}
	return program(charm.Name)
}

func (c *charmHost) artifact(charm effect.Charm) string { return filepath.Join(c.dir, charm.Revision) }

// program is the command under which a charm runs its own workload.
func (c *charmHost) program(charm effect.Charm) []string {
	command, err := c.resolve(charm)
	if err != nil {
		return nil // Reconcile names the error
	}
	return append(command, "run")
}

// Reconcile implements agent.Charms.
func (c *charmHost) Reconcile(ctx context.Context, charm effect.Charm, in effect.Input) (effect.Desired, error) {
	if err := c.fetch(ctx, charm); err != nil {
		return effect.Desired{}, err
	}
	return c.Host.Reconcile(ctx, charm, in)
}

// Call implements agent.Charms.
func (c *charmHost) Call(ctx context.Context, charm effect.Charm, user string, call effect.Invocation) (string, error) {
	if err := c.fetch(ctx, charm); err != nil {
		return "", err
	}
	return c.Host.Call(ctx, charm, user, call)
}

// CallKept implements agent.KeepingCharms.
func (c *charmHost) CallKept(ctx context.Context, charm effect.Charm, user string, call effect.Invocation, run func(*exec.Cmd) ([]byte, error)) (string, error) {
	if err := c.fetch(ctx, charm); err != nil {
		return "", err
	}
	return c.Host.CallKept(ctx, charm, user, call, run)
}

// RunAction implements agent.Charms.
func (c *charmHost) RunAction(ctx context.Context, charm effect.Charm, user string, action effect.Invocation) (map[string]string, error) {
	if err := c.fetch(ctx, charm); err != nil {
		return nil, err
	}
	return c.Host.RunAction(ctx, charm, user, action)
}

// fetch brings an artifact that this machine does not have, or that is not what
// was signed. It appears whole or not at all.
func (c *charmHost) fetch(ctx context.Context, charm effect.Charm) error {
	if builtIn(charm) {
		return nil
	}
	distrust := c.trust(charm)
	if distrust == nil {
		return nil
	}
	if err := c.bring(ctx, charm); err != nil {
		if _, have := os.Stat(c.artifact(charm)); have == nil {
			return errors.Join(distrust, err)
		}
		return err
	}
	return c.trust(charm)
}

func (c *charmHost) bring(ctx context.Context, charm effect.Charm) error {
	if err := os.MkdirAll(c.dir, 0o755); err != nil {
		return fmt.Errorf("fetch charm %s: %w", charm.Name, err)
	}
	archive, err := os.CreateTemp(c.dir, ".fetch-*")
	if err != nil {
		return fmt.Errorf("fetch charm %s: %w", charm.Name, err)
	}
	defer os.Remove(archive.Name())
	defer archive.Close()
	sum := sha256.New()
	if err := c.controller.FetchCharm(ctx, charm.Revision, io.MultiWriter(archive, sum)); err != nil {
		return fmt.Errorf("fetch charm %s: %w", charm.Name, err)
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != charm.Revision {
		return fmt.Errorf("fetch charm %s: its hash is %s, not %s: %w", charm.Name, got, charm.Revision, model.ErrInvalid)
	}
	return c.keep(ctx, charm, archive.Name())
}

// unpack writes an archive's files below a temporary directory, which then
// takes its place. Nothing is written outside: os.Root refuses it.
func unpack(archive, temporary, place string) error {
	z, err := zip.OpenReader(archive)
	if err != nil {
		return err
	}
	defer z.Close()
	if err := os.Mkdir(temporary, 0o755); err != nil {
		return err
	}
	defer os.RemoveAll(temporary)
	root, err := os.OpenRoot(temporary)
	if err != nil {
		return err
	}
	defer root.Close()
	for _, f := range z.File {
		if err := unpackFile(root, f); err != nil {
			return fmt.Errorf("%s: %w", f.Name, err)
		}
	}
	if err := os.Rename(temporary, place); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

func unpackFile(root *os.Root, f *zip.File) error {
	if f.FileInfo().IsDir() {
		return root.MkdirAll(path.Clean(f.Name), 0o755)
	}
	if err := root.MkdirAll(path.Dir(f.Name), 0o755); err != nil {
		return err
	}
	from, err := f.Open()
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := root.OpenFile(f.Name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, f.Mode().Perm()&0o755|0o444)
	if err != nil {
		return err
	}
	_, err = io.Copy(to, from)
	return errors.Join(err, to.Close())
}
