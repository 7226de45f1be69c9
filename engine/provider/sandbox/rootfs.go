package sandbox

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// disk is the overlay that is the root of a machine or of a build.
type disk struct {
	Lower      []string // the uppermost first
	Hide       []string // what of hostRoot, where that is in Lower, is shown empty
	Upper      string
	Work       string
	Mountpoint string
}

// oldRoot is where the host's files are while a root is being set up.
const oldRoot = "/.gantry-old-root"

const secure = unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC

// enter makes the disk the root of this process. The host's files stay at
// oldRoot until leaveHost.
func (d disk) enter() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	root, err := d.mount()
	if err != nil {
		return err
	}
	old := filepath.Join(root, oldRoot)
	if err := os.MkdirAll(old, 0o700); err != nil {
		return err
	}
	if err := unix.PivotRoot(root, old); err != nil {
		return fmt.Errorf("pivot root: %w", err)
	}
	return os.Chdir("/")
}

// mount mounts the disk and returns where.
func (d disk) mount() (string, error) {
	root := d.Mountpoint
	if slices.Contains(d.Lower, hostRoot) {
		masked, err := d.maskHost()
		if err != nil {
			return "", err
		}
		d.Lower = slices.Clone(d.Lower)
		d.Lower[slices.Index(d.Lower, hostRoot)] = masked
		root = filepath.Join(d.Mountpoint, "root")
	}
	if err := unix.Mount("overlay", root, "overlay", 0, d.options()); err != nil {
		return "", fmt.Errorf("mount overlay at %s: %w", root, err)
	}
	return root, nil
}

// maskHost mounts the host's files without what must not be seen, and returns
// where. They are an overlay of their own, with the mask in memory: the kernel
// refuses layers that are below one another, and all is below /.
func (d disk) maskHost() (string, error) {
	if err := unix.Mount("tmpfs", d.Mountpoint, "tmpfs", 0, "mode=755"); err != nil {
		return "", fmt.Errorf("mount mask: %w", err)
	}
	mask, masked := filepath.Join(d.Mountpoint, "mask"), filepath.Join(d.Mountpoint, "masked")
	for _, dir := range []string{mask, masked, filepath.Join(d.Mountpoint, "root")} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return "", err
		}
	}
	if err := makeMask(mask, d.Hide); err != nil {
		return "", err
	}
	options := "lowerdir=" + escapeOption(mask) + ":" + hostRoot
	if err := unix.Mount("overlay", masked, "overlay", unix.MS_RDONLY, options); err != nil {
		return "", fmt.Errorf("mount the host's files: %w", err)
	}
	return masked, nil
}

func (d disk) options() string {
	lower := make([]string, len(d.Lower))
	for i, l := range d.Lower {
		lower[i] = escapeOption(l)
	}
	return "lowerdir=" + strings.Join(lower, ":") + ",upperdir=" + escapeOption(d.Upper) + ",workdir=" + escapeOption(d.Work)
}

var optionEscaper = strings.NewReplacer(`\`, `\\`, `:`, `\:`, `,`, `\,`)

func escapeOption(path string) string { return optionEscaper.Replace(path) }

// leaveHost unmounts the host's files.
func leaveHost() error {
	if err := unix.Unmount(oldRoot, unix.MNT_DETACH); err != nil {
		return fmt.Errorf("unmount the host's files: %w", err)
	}
	return os.Remove(oldRoot)
}

// mount is a file system that each root gets.
type mount struct {
	source, target, kind string
	flags                uintptr
	data                 string
}

// mountKernel mounts what programs expect of a running system.
func mountKernel() error {
	for _, m := range []mount{
		{"proc", "/proc", "proc", secure, ""},
		{"tmpfs", "/dev", "tmpfs", unix.MS_NOSUID, "mode=755,size=64k"},
		{"devpts", "/dev/pts", "devpts", unix.MS_NOSUID | unix.MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620,gid=5"},
		{"tmpfs", "/dev/shm", "tmpfs", unix.MS_NOSUID | unix.MS_NODEV, "mode=1777"},
		{"sysfs", "/sys", "sysfs", secure | unix.MS_RDONLY, ""},
		{"tmpfs", "/run", "tmpfs", unix.MS_NOSUID | unix.MS_NODEV, "mode=755"},
		{"tmpfs", "/run/lock", "tmpfs", secure, "mode=1777"},
		{"tmpfs", "/tmp", "tmpfs", unix.MS_NOSUID | unix.MS_NODEV, "mode=1777"},
	} {
		if err := os.MkdirAll(m.target, 0o755); err != nil {
			return err
		}
		if err := unix.Mount(m.source, m.target, m.kind, m.flags, m.data); err != nil {
			return fmt.Errorf("mount %s: %w", m.target, err)
		}
	}
	return devices()
}

// devices shows the harmless devices of the host.
func devices() error {
	for _, name := range []string{"null", "zero", "full", "random", "urandom", "tty"} {
		if err := bind(filepath.Join(oldRoot, "dev", name), filepath.Join("/dev", name), 0); err != nil {
			return err
		}
	}
	for name, target := range map[string]string{
		"ptmx": "pts/ptmx", "fd": "/proc/self/fd",
		"stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2",
	} {
		if err := os.Symlink(target, filepath.Join("/dev", name)); err != nil {
			return err
		}
	}
	return nil
}

// protectHost makes read-only what a machine would change for the whole host.
// The network settings stay writable: they are of the machine's own namespace.
func protectHost() error {
	const own = "/proc/sys/net"
	if err := bind(own, own, 0); err != nil {
		return err
	}
	for _, path := range []string{"/proc/sys", "/proc/sysrq-trigger", "/proc/irq", "/proc/bus"} {
		if _, err := os.Stat(path); err != nil {
			continue
		}
		if err := bind(path, path, unix.MS_RDONLY); err != nil {
			return err
		}
	}
	return nil
}

// bind shows a file or a directory at another path, which is made like it
// where it is missing.
func bind(source, target string, flags uintptr) error {
	info, err := os.Stat(source)
	if err != nil {
		return err
	}
	if info.IsDir() {
		err = os.MkdirAll(target, 0o755)
	} else {
		err = touch(target)
	}
	if err != nil {
		return err
	}
	if err := unix.Mount(source, target, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("show %s at %s: %w", source, target, err)
	}
	if flags == 0 {
		return nil
	}
	if err := unix.Mount("", target, "", unix.MS_BIND|unix.MS_REMOUNT|flags, ""); err != nil {
		return fmt.Errorf("protect %s: %w", target, err)
	}
	return nil
}

func touch(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	return f.Close()
}
