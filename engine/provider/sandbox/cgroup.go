package sandbox

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gantry-orchestrator/gantry/engine/provider/internal/process"
	"github.com/gantry-orchestrator/gantry/model"
)

// hierarchy is a mounted tree of control groups.
type hierarchy struct {
	root        string   // where the host mounts it
	controllers []string // of v1
	unified     bool     // v2
}

// cgroups are the control groups of an install: in each hierarchy that helps,
// gantry-ID/UUID holds all processes of a machine.
type cgroups struct {
	hierarchies []hierarchy
	parent      string
}

// wanted are the v1 controllers that limit, count or freeze a machine.
var wanted = []string{"memory", "cpu", "cpuacct", "pids", "freezer"}

const cpuPeriod = 100_000 // µs

func findCgroups(id string) (cgroups, error) {
	f, err := os.Open("/proc/self/mounts")
	if err != nil {
		return cgroups{}, fmt.Errorf("find control groups: %w", err)
	}
	defer f.Close()
	c := cgroups{parent: "gantry-" + id}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) < 4 || slices.ContainsFunc(c.hierarchies, func(h hierarchy) bool { return h.root == fields[1] }) {
			continue
		}
		options := strings.Split(fields[3], ",")
		if slices.Contains(options, "ro") {
			continue
		}
		h := hierarchy{root: fields[1], unified: fields[2] == "cgroup2"}
		if fields[2] == "cgroup" {
			h.controllers = slices.DeleteFunc(options, func(o string) bool { return !slices.Contains(wanted, o) })
		}
		if h.unified || len(h.controllers) > 0 {
			c.hierarchies = append(c.hierarchies, h)
		}
	}
	return c, nil
}

func (c cgroups) dir(h hierarchy, uuid string) string { return filepath.Join(h.root, c.parent, uuid) }

// create makes the groups of a machine and sets its limits. It returns what
// could not be limited.
func (c cgroups) create(uuid string, want model.Constraints) (unmet []string, err error) {
	for _, h := range c.hierarchies {
		if h.unified {
			delegate(h.root)
			_ = os.Mkdir(filepath.Join(h.root, c.parent), 0o755)
			delegate(filepath.Join(h.root, c.parent))
		}
		if err := os.MkdirAll(c.dir(h, uuid), 0o755); err != nil {
			return nil, fmt.Errorf("control group of machine %s: %w", uuid, err)
		}
	}
	if want.MemMiB > 0 {
		bytes := strconv.FormatUint(want.MemMiB<<20, 10)
		if !c.limit(uuid, "memory", "memory.max", bytes, "memory.limit_in_bytes", bytes) {
			unmet = append(unmet, fmt.Sprintf("mem=%dM is not enforced: no memory control group", want.MemMiB))
		}
	}
	if want.Cores > 0 {
		quota := want.Cores * cpuPeriod
		if !c.limit(uuid, "cpu", "cpu.max", fmt.Sprintf("%d %d", quota, cpuPeriod), "cpu.cfs_quota_us", strconv.Itoa(quota)) {
			unmet = append(unmet, fmt.Sprintf("cores=%d is not enforced: no cpu control group", want.Cores))
		}
	}
	return unmet, nil
}

// delegate offers the controllers of a v2 group to its children. The kernel
// refuses where the group holds processes; limit notices.
func delegate(dir string) {
	for _, controller := range []string{"cpu", "memory", "pids"} {
		_ = os.WriteFile(filepath.Join(dir, "cgroup.subtree_control"), []byte("+"+controller), 0)
	}
}

func (c cgroups) limit(uuid, controller, file2, value2, file1, value1 string) bool {
	for _, h := range c.hierarchies {
		file, value := file1, value1
		if h.unified {
			file, value = file2, value2
		} else if !slices.Contains(h.controllers, controller) {
			continue
		}
		path := filepath.Join(c.dir(h, uuid), file)
		if _, err := os.Stat(path); err != nil {
			continue
		}
		if os.WriteFile(path, []byte(value), 0) == nil {
			return true
		}
	}
	return false
}

// add moves a process, and all that it starts from now on, into the groups.
func (c cgroups) add(uuid string, pid int) error {
	return join(c.dirs(uuid), pid)
}

func (c cgroups) dirs(uuid string) []string {
	var dirs []string
	for _, h := range c.hierarchies {
		dirs = append(dirs, c.dir(h, uuid))
	}
	return dirs
}

// lobbyName is a group beside those of the machines; no machine has such a UUID.
const lobbyName = "LOBBY"

// openLobby makes the groups for processes that serve machines from outside,
// and returns their directories.
func (c cgroups) openLobby() ([]string, error) {
	dirs := c.dirs(lobbyName)
	for _, dir := range dirs {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, fmt.Errorf("control group %s: %w", dir, err)
		}
	}
	return dirs, nil
}

// openGroups opens groups for a process that will not see them any more.
func openGroups(dirs []string) ([]*os.File, error) {
	var open []*os.File
	for _, dir := range dirs {
		f, err := os.OpenFile(filepath.Join(dir, "cgroup.procs"), os.O_WRONLY, 0)
		if err != nil {
			return nil, fmt.Errorf("open control group: %w", err)
		}
		open = append(open, f)
	}
	return open, nil
}

func join(dirs []string, pid int) error {
	for _, dir := range dirs {
		if err := os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte(strconv.Itoa(pid)), 0); err != nil {
			return fmt.Errorf("join control group: %w", err)
		}
	}
	return nil
}

// kill sends SIGKILL to all processes of a machine at once.
func (c cgroups) kill(uuid string) {
	for _, h := range c.hierarchies {
		if h.unified && os.WriteFile(filepath.Join(c.dir(h, uuid), "cgroup.kill"), []byte("1"), 0) == nil {
			return
		}
	}
	c.freeze(uuid, "FROZEN")
	for _, dir := range c.dirs(uuid) {
		for _, pid := range processes(dir) {
			_ = unix.Kill(pid, unix.SIGKILL)
		}
	}
	c.freeze(uuid, "THAWED")
}

// empty returns when no process of a machine runs any more: the kernel ends in
// its own time what was sent SIGKILL. What began while the others were killed
// is killed too.
func (c cgroups) empty(ctx context.Context, uuid string) error {
	for wait := time.Millisecond; ; wait = min(2*wait, 20*time.Millisecond) {
		if !slices.ContainsFunc(c.dirs(uuid), func(dir string) bool { return slices.ContainsFunc(processes(dir), living) }) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("processes of machine %s are still there: %w", uuid, ctx.Err())
		case <-time.After(wait):
			c.kill(uuid)
		}
	}
}

// living reports whether a process runs; one that has ended is in its group
// until its parent has looked at it.
func living(pid int) bool {
	stat, err := process.ReadStat(pid)
	return err == nil && stat.State != 'Z' && stat.State != 'X'
}

func (c cgroups) freeze(uuid, state string) {
	for _, h := range c.hierarchies {
		if slices.Contains(h.controllers, "freezer") {
			_ = os.WriteFile(filepath.Join(c.dir(h, uuid), "freezer.state"), []byte(state), 0)
		}
	}
}

// processes lists the processes of a group and of the groups below it.
func processes(dir string) []int {
	var pids []int
	_ = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.IsDir() {
			return nil
		}
		text, _ := os.ReadFile(filepath.Join(path, "cgroup.procs"))
		for _, word := range strings.Fields(string(text)) {
			if pid, err := strconv.Atoi(word); err == nil && pid > 0 {
				pids = append(pids, pid)
			}
		}
		return nil
	})
	return pids
}

// remove kills what is left in the groups of a machine and removes them.
func (c cgroups) remove(ctx context.Context, uuid string) error {
	for _, dir := range c.dirs(uuid) {
		for {
			err := removeGroup(dir)
			if err == nil {
				break
			}
			if !errors.Is(err, unix.EBUSY) {
				return fmt.Errorf("remove control group of machine %s: %w", uuid, err)
			}
			c.kill(uuid)
			select {
			case <-ctx.Done():
				return fmt.Errorf("remove control group %s, still busy: %w", dir, ctx.Err())
			case <-time.After(2 * time.Millisecond):
			}
		}
	}
	return nil
}

// removeGroup removes a group and those below it, the lowest first.
func removeGroup(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	for _, e := range entries {
		if e.IsDir() {
			if err := removeGroup(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	if err := unix.Rmdir(dir); err != nil && !errors.Is(err, unix.ENOENT) {
		return err
	}
	return nil
}

// mounts shows a machine its own groups where it expects the hierarchies.
func (c cgroups) mounts(uuid string) []groupMount {
	var mounts []groupMount
	for _, h := range c.hierarchies {
		mounts = append(mounts, groupMount{Group: c.dir(h, uuid), Inside: h.root})
	}
	return mounts
}

// machines lists the machines that have groups.
func (c cgroups) machines() []string {
	var uuids []string
	for _, h := range c.hierarchies {
		entries, _ := os.ReadDir(filepath.Join(h.root, c.parent))
		for _, e := range entries {
			if e.IsDir() && e.Name() != lobbyName && !slices.Contains(uuids, e.Name()) {
				uuids = append(uuids, e.Name())
			}
		}
	}
	return uuids
}

// purge removes the install's groups, which are empty by then.
func (c cgroups) purge() error {
	for _, h := range c.hierarchies {
		if err := removeGroup(filepath.Join(h.root, c.parent)); err != nil {
			return fmt.Errorf("remove control group %s: %w", c.parent, err)
		}
	}
	return nil
}
