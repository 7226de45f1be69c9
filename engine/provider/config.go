package provider

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
)

// The bases of a sandbox machine's disk.
const (
	BaseDebian = "debian" // a cached minimal Debian
	BaseHost   = "host"   // the host's own /, with what a machine must not see hidden
)

// Config is what a provider of this host needs.
type Config struct {
	StateDir string // survives a reboot; names the install
	RunDir   string // does not
	CacheDir string // may be shared by installs, and outlives Purge
	Binary   string // the gantry binary on the host; empty means the running one
	Base     string // for specs that name none; empty means BaseDebian

	// Init is the command line of the first process in a machine. It ends, all
	// of the machine's processes with it, at SIGTERM.
	Init func(Instance) []string
	// Swept is called once all processes of a machine that shares the host's
	// control groups were killed; it may be nil.
	Swept func(Instance) error

	Log      *slog.Logger
	Progress func(Progress) // may be nil; called from several goroutines
}

// Progress tells what takes long.
type Progress struct {
	Phase  string // "base", "layer"
	Detail string // a line for an operator
}

// InstallID names the install that keeps its state in a directory: six
// hexadecimal digits, so that two installs on one host tell their links,
// tables and addresses apart.
func InstallID(stateDir string) string {
	sum := sha256.Sum256([]byte(filepath.Clean(stateDir)))
	return hex.EncodeToString(sum[:3])
}

// Prepare makes the directories absolute and fills in what may be left empty.
func (c Config) Prepare() (Config, error) {
	for _, dir := range []*string{&c.StateDir, &c.RunDir, &c.CacheDir} {
		abs, err := filepath.Abs(*dir)
		if err != nil {
			return c, fmt.Errorf("provider directory %q: %w", *dir, err)
		}
		*dir = abs
	}
	if c.Binary == "" {
		self, err := os.Executable()
		if err != nil {
			return c, fmt.Errorf("find the gantry binary: %w", err)
		}
		c.Binary = self
	}
	if c.Base == "" {
		c.Base = BaseDebian
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Progress == nil {
		c.Progress = func(Progress) {}
	}
	return c, nil
}
