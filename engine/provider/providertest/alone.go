package providertest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// aloneMark is set in the process that Alone starts.
const aloneMark = "GANTRY_TEST_ALONE"

// Alone runs this test binary again as if on a host of its own: with its own
// processes, mounts, control groups, and network unless that is to be shared,
// so that tests neither disturb the host nor see others' changes to it. It
// returns in that process, and where this process is not root.
func Alone(network bool) {
	if os.Geteuid() != 0 {
		return
	}
	if os.Getenv(aloneMark) != "" {
		if err := settle(network); err != nil {
			fmt.Fprintln(os.Stderr, "make a host for tests:", err)
			os.Exit(1)
		}
		return
	}
	groups := testGroups()
	flags := uintptr(unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS)
	if network {
		flags |= unix.CLONE_NEWNET
	}
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Args[0] = os.Args[0]
	cmd.Env = append(os.Environ(), aloneMark+"="+strings.Join(groups, ":"))
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: flags, Pdeathsig: syscall.SIGKILL}
	err := cmd.Run()
	for _, g := range groups {
		removeGroups(g)
	}
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		os.Exit(max(exit.ExitCode(), 1))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "make a host for tests:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// testGroups makes a control group for the tests in each hierarchy.
func testGroups() []string {
	var groups []string
	for _, root := range groupRoots() {
		group := filepath.Join(root, "providertest-"+strconv.Itoa(os.Getpid()))
		if os.Mkdir(group, 0o755) == nil {
			groups = append(groups, group)
		}
	}
	return groups
}

// removeGroups removes a group and what tests that did not end left below it;
// their processes are gone with the first.
func removeGroups(dir string) {
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if e.IsDir() {
			removeGroups(filepath.Join(dir, e.Name()))
		}
	}
	_ = unix.Rmdir(dir)
}

func groupRoots() []string {
	text, _ := os.ReadFile("/proc/self/mounts")
	var roots []string
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if strings.HasPrefix(fields[2], "cgroup") {
			roots = append(roots, fields[1])
		}
	}
	return roots
}

// settle makes the namespaces that Alone started this process in a host.
func settle(network bool) error {
	groups := strings.Split(os.Getenv(aloneMark), ":")
	for _, g := range groups {
		// A hierarchy that takes no process yet, as cpuset, holds no machine
		// either.
		_ = os.WriteFile(filepath.Join(g, "cgroup.procs"), []byte("0"), 0)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	for _, g := range groups {
		// The group's own path keeps others from being seen at all.
		if err := unix.Mount(g, filepath.Dir(g), "", unix.MS_BIND, ""); err != nil {
			return err
		}
	}
	if err := unix.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return err
	}
	if err := unix.Mount("tmpfs", "/run", "tmpfs", 0, "mode=755"); err != nil {
		return err
	}
	if !network {
		return nil
	}
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return err
	}
	return netlink.LinkSetUp(lo)
}
