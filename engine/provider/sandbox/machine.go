package sandbox

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/gantry-orchestrator/gantry/engine/provider"
)

// binaryDir is where machines see the gantry binary: a directory, so that the
// host can replace the binary under running machines.
const binaryDir = "/usr/lib/gantry"

// runDir is where machines keep sockets.
const runDir = "/run/gantry"

// machineOrders is what the first process of a machine does before it becomes
// the program of provider.Config.Init.
type machineOrders struct {
	Disk     disk
	Hostname string
	Groups   []groupMount
	Binary   string // directory of the host that is shown at binaryDir
	Shared   []provider.Mount
	Files    []orderedFile
	Argv     []string
	Environ  []string
}

// orderedFile is a file of provider.Spec.
type orderedFile struct {
	Path    string
	Content []byte
	Mode    uint32
}

// groupMount shows a machine its own control group where the host has the
// root of the hierarchy.
type groupMount struct {
	Group  string // on the host
	Inside string
}

func runMachine(o machineOrders) error {
	if err := unix.Unshare(unix.CLONE_NEWCGROUP); err != nil {
		return fmt.Errorf("new control group namespace: %w", err)
	}
	if err := unix.Sethostname([]byte(o.Hostname)); err != nil {
		return fmt.Errorf("set host name: %w", err)
	}
	unix.Umask(0o022)
	if err := o.Disk.enter(); err != nil {
		return err
	}
	for _, step := range []func() error{mountKernel, o.mountOwn, protectHost, leaveHost, o.writeFiles} {
		if err := step(); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(runDir, 0o700); err != nil {
		return err
	}
	if err := unix.Exec(o.Argv[0], o.Argv, o.Environ); err != nil {
		return fmt.Errorf("run %s: %w", o.Argv[0], err)
	}
	return nil
}

// mountOwn mounts what differs between machines.
func (o machineOrders) mountOwn() error {
	for _, s := range o.Shared {
		if err := s.Make(oldRoot); err != nil {
			return err
		}
		if err := bind(filepath.Join(oldRoot, s.Host), s.Inside, 0); err != nil {
			return err
		}
	}
	if err := bind(filepath.Join(oldRoot, o.Binary), binaryDir, unix.MS_RDONLY); err != nil {
		return err
	}
	return o.mountGroups()
}

func (o machineOrders) mountGroups() error {
	const root = "/sys/fs/cgroup"
	if !slices.ContainsFunc(o.Groups, func(g groupMount) bool { return g.Inside == root }) {
		if err := unix.Mount("tmpfs", root, "tmpfs", secure, "mode=755"); err != nil {
			return fmt.Errorf("mount %s: %w", root, err)
		}
	}
	for _, g := range o.Groups {
		if err := bind(filepath.Join(oldRoot, g.Group), g.Inside, 0); err != nil {
			return err
		}
	}
	return nil
}

func (o machineOrders) writeFiles() error {
	for _, f := range o.Files {
		if err := f.write(); err != nil {
			return err
		}
	}
	return nil
}

// write replaces the file. A link in the base must not lead its content
// elsewhere, so what is there is removed first.
func (f orderedFile) write() error {
	if err := os.MkdirAll(filepath.Dir(f.Path), 0o755); err != nil {
		return err
	}
	if err := os.Remove(f.Path); err != nil && !os.IsNotExist(err) {
		return err
	}
	if err := os.WriteFile(f.Path, f.Content, os.FileMode(f.Mode)); err != nil {
		return err
	}
	return os.Chmod(f.Path, os.FileMode(f.Mode))
}
