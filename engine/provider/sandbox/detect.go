package sandbox

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/google/nftables"
	"golang.org/x/sys/unix"

	"github.com/gantry-orchestrator/gantry/engine/provider"
)

// Detect tries out what this host offers to machines whose state is kept in a
// directory. It changes nothing.
func Detect(stateDir string) provider.Host {
	h := provider.Host{Root: os.Geteuid() == 0, Cgroups: cgroupKind()}
	if first, err := os.ReadFile("/proc/1/comm"); err == nil {
		h.Systemd = strings.TrimSpace(string(first)) == "systemd"
	}
	if _, err := exec.LookPath("mmdebstrap"); err != nil {
		h.Missing = append(h.Missing, "mmdebstrap")
	}
	h.Namespaces = tryNamespaces()
	h.Overlay = tryOverlay(stateDir)
	h.Firewall = tryFirewall()
	h.Forwarding = DroppedForwarding()
	return h
}

// tryNamespaces makes a process in namespaces of its own, which ends at once.
func tryNamespaces() error {
	c, err := spawn(stageMachine, func(cmd *exec.Cmd) {
		const namespaces = unix.CLONE_NEWNS | unix.CLONE_NEWNET | unix.CLONE_NEWPID | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: namespaces}
	})
	if err != nil {
		return err
	}
	c.abandon()
	_ = c.cmd.Wait() // it has no orders and says so by its code
	return nil
}

// tryOverlay looks whether the directory's file system can be written through
// an overlay, which another overlay cannot.
func tryOverlay(dir string) error {
	kinds, err := os.ReadFile("/proc/filesystems")
	if err != nil {
		return err
	}
	if !slices.Contains(strings.Fields(string(kinds)), "overlay") {
		return fmt.Errorf("the kernel has none: modprobe overlay")
	}
	for {
		var fs unix.Statfs_t
		err := unix.Statfs(dir, &fs)
		if err == nil && fs.Type == unix.OVERLAYFS_SUPER_MAGIC {
			return fmt.Errorf("%s is on an overlay itself: choose a state directory on a disk or in memory", dir)
		}
		if err == nil || dir == filepath.Dir(dir) {
			return err
		}
		dir = filepath.Dir(dir)
	}
}

func tryFirewall() error {
	nft, err := nftables.New()
	if err != nil {
		return err
	}
	_, err = nft.ListTables()
	return err
}

func cgroupKind() string {
	c, err := findCgroups("")
	if err != nil {
		return "none"
	}
	v2 := slices.ContainsFunc(c.hierarchies, func(h hierarchy) bool { return h.unified })
	v1 := slices.ContainsFunc(c.hierarchies, func(h hierarchy) bool { return !h.unified })
	switch {
	case v1 && v2:
		return "hybrid"
	case v2:
		return "v2"
	case v1:
		return "v1"
	default:
		return "none"
	}
}
