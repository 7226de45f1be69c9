package sandbox

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"
)

// hostRoot, as a layer, is the host's own files.
const hostRoot = "/"

// standard are the directories of / that programs and their configuration live
// in; any other is somebody's data. Machines get their own of those in own.
var (
	standard = []string{"bin", "boot", "dev", "etc", "lib", "lib32", "lib64", "libx32", "opt", "proc", "sbin", "srv", "sys", "usr", "var"}
	own      = []string{
		"/etc/gantry", "/etc/kubernetes", "/etc/patroni", "/etc/pgbouncer", "/etc/postgresql", "/var/backups", "/var/lib/ceph",
		"/var/lib/containerd", "/var/lib/docker", "/var/lib/etcd", "/var/lib/gantry", "/var/lib/kubelet", "/var/lib/lxd",
		"/var/lib/pgbackrest", "/var/lib/postgresql", "/var/log", "/var/mail", "/var/spool", "/var/tmp",
	}
)

// hostBase is the host's own /.
func (m images) hostBase() (base, error) {
	packages, err := os.ReadFile("/var/lib/dpkg/status")
	if err != nil && !os.IsNotExist(err) {
		return base{}, fmt.Errorf("packages of the host: %w", err)
	}
	return base{key: digest("host", string(packages)), lower: []string{hostRoot}}, nil
}

// hide lists the directories of the host that a disk over these layers must
// not show.
func (m images) hide(lower []string) ([]string, error) {
	if !slices.Contains(lower, hostRoot) {
		return nil, nil
	}
	entries, err := os.ReadDir("/")
	if err != nil {
		return nil, fmt.Errorf("read the host's files: %w", err)
	}
	hide := slices.Concat(own, m.hidden)
	for _, e := range entries {
		if e.IsDir() && !slices.Contains(standard, e.Name()) {
			hide = append(hide, "/"+e.Name())
		}
	}
	slices.Sort(hide)
	return slices.DeleteFunc(slices.Compact(hide), func(path string) bool {
		info, err := os.Stat(path)
		return err != nil || !info.IsDir()
	}), nil
}

// makeMask makes a directory that, as a layer, shows the directories of hide
// empty, and keeps packages from starting services.
func makeMask(dir string, hide []string) error {
	for _, path := range hide {
		if err := mirrorDirectories(dir, path); err != nil {
			return err
		}
		if err := unix.Setxattr(filepath.Join(dir, path), "trusted.overlay.opaque", []byte("y"), 0); err != nil {
			return fmt.Errorf("hide %s: %w", path, err)
		}
	}
	if err := mirrorDirectories(dir, "/usr/sbin"); err != nil {
		return err
	}
	return writePolicy(dir)
}

// mirrorDirectories makes a path below dir, with the owners and modes that the
// host's directories have.
func mirrorDirectories(dir, path string) error {
	if path == "/" {
		return nil
	}
	if err := mirrorDirectories(dir, filepath.Dir(path)); err != nil {
		return err
	}
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return fmt.Errorf("look at %s: %w", path, err)
	}
	target := filepath.Join(dir, path)
	if err := os.MkdirAll(target, 0o755); err != nil {
		return err
	}
	if err := os.Chown(target, int(st.Uid), int(st.Gid)); err != nil {
		return err
	}
	return unix.Chmod(target, st.Mode&0o7777)
}

// writePolicy keeps packages from starting services by themselves; see
// /usr/share/doc/sysv-rc and invoke-rc.d(8).
func writePolicy(root string) error {
	return os.WriteFile(filepath.Join(root, "usr/sbin/policy-rc.d"), []byte("#!/bin/sh\nexit 101\n"), 0o755)
}
