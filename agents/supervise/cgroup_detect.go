package supervise

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// The controllers in use. In cgroup v2 "tracker" is the group itself; in v1 it
// is the freezer, which limits nothing and so is there for every service.
const (
	tracker = "tracker"
	memory  = "memory"
	cpu     = "cpu"
	pids    = "pids"
)

// cgroups are the places where the services' groups go. A host may have some
// controllers in v1 and the others in v2.
type cgroups struct {
	places  map[string]place
	lacking []string // what is not there, and why
}

// place is the parent directory of the services' groups for one controller.
type place struct {
	dir string
	v2  bool
}

// hierarchy is one mounted cgroup file system.
type hierarchy struct {
	mount       string // where it is mounted
	root        string // which of its groups is mounted there
	controllers []string
	v2          bool
}

// openCgroups makes the parent group in every hierarchy that lets us. A parent
// that begins with a slash counts from the mount, any other from the group that
// the supervisor runs in, whose limits then hold for the services too.
func openCgroups(parent string) *cgroups {
	c := &cgroups{places: map[string]place{}}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		c.lack("cgroups: %v", err)
		return c
	}
	own, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		c.lack("cgroups: %v", err)
		return c
	}
	for _, h := range parseHierarchies(string(mounts)) {
		h.controllers = slices.DeleteFunc(h.controllers, c.has)
		if !h.v2 && len(h.controllers) == 0 {
			continue
		}
		base, dir := h.locate(parseOwn(string(own)), parent)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			c.lack("cgroup %s: %v", strings.Join(h.controllers, ","), err)
			continue
		}
		if h.v2 {
			c.openV2(base, dir)
			continue
		}
		for _, name := range h.controllers {
			c.places[name] = place{dir: dir}
		}
	}
	for _, name := range []string{tracker, memory, cpu, pids} {
		if !c.has(name) {
			c.lack("cgroup %s: not available to user %d here", name, os.Geteuid())
		}
	}
	return c
}

// sweepTime is what the kernel has to let go of processes that were killed.
const sweepTime = 2 * time.Second

// Sweep removes the control groups that a supervisor of a directory, killed
// with all its services, left behind. It ran in the caller's own group.
func Sweep(dir string) error {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return fmt.Errorf("sweep control groups: %w", err)
	}
	own, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return fmt.Errorf("sweep control groups: %w", err)
	}
	var errs []error
	for _, h := range parseHierarchies(string(mounts)) {
		_, group := h.locate(parseOwn(string(own)), groupOf(dir))
		err := removeGroups(group)
		for deadline := time.Now().Add(sweepTime); errors.Is(err, unix.EBUSY) && time.Now().Before(deadline); err = removeGroups(group) {
			time.Sleep(5 * time.Millisecond)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (c *cgroups) has(name string) bool {
	_, ok := c.places[name]
	return ok
}

func (c *cgroups) lack(format string, a ...any) {
	c.lacking = append(c.lacking, fmt.Sprintf(format, a...))
}

// openV2 hands the controllers that v2 has down from base to dir.
func (c *cgroups) openV2(base, dir string) {
	c.places[tracker] = place{dir, true} // kills at once, where the freezer cannot
	for _, name := range []string{memory, cpu, pids} {
		available, err := os.ReadFile(filepath.Join(base, "cgroup.controllers"))
		if err != nil || !slices.Contains(strings.Fields(string(available)), name) {
			continue // v1 may have it
		}
		if err := enable(base, dir, name); err != nil {
			c.lack("cgroup %s: %v", name, err)
			continue
		}
		c.places[name] = place{dir, true}
	}
}

// enable turns a v2 controller on in every group from base to dir, so that the
// groups in dir have it. A group that has processes of its own cannot: where
// the supervisor is PID 1 these are its own, and it moves into a leaf.
func enable(base, dir, name string) error {
	rel, err := filepath.Rel(base, dir)
	if err != nil {
		return err
	}
	at := base
	for _, part := range append([]string{"."}, strings.Split(rel, "/")...) {
		at = filepath.Join(at, part)
		err := writeControl(at, "cgroup.subtree_control", "+"+name)
		if errors.Is(err, unix.EBUSY) && os.Getpid() == 1 {
			if err = retreat(at); err == nil {
				err = writeControl(at, "cgroup.subtree_control", "+"+name)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// leaf is the group that PID 1 retreats to.
const leaf = "supervisor"

func retreat(dir string) error {
	leaf := filepath.Join(dir, leaf)
	if err := os.MkdirAll(leaf, 0o755); err != nil {
		return err
	}
	return writeControl(leaf, "cgroup.procs", "0")
}

// parseHierarchies reads /proc/self/mountinfo as proc(5) describes it. Of two
// mounts at one place the later hides the earlier.
func parseHierarchies(mountinfo string) []hierarchy {
	var out []hierarchy
	for line := range strings.Lines(mountinfo) {
		before, after, ok := strings.Cut(line, " - ")
		f, g := strings.Fields(before), strings.Fields(after)
		if !ok || len(f) < 5 || len(g) < 3 {
			continue
		}
		out = slices.DeleteFunc(out, func(h hierarchy) bool { return h.mount == f[4] })
		switch g[0] {
		case "cgroup2":
			out = append(out, hierarchy{mount: f[4], root: f[3], v2: true})
		case "cgroup":
			h := hierarchy{mount: f[4], root: f[3]}
			for opt := range strings.SplitSeq(g[2], ",") {
				switch opt {
				case "freezer":
					h.controllers = append(h.controllers, tracker)
				case memory, cpu, pids:
					h.controllers = append(h.controllers, opt)
				}
			}
			if len(h.controllers) > 0 {
				out = append(out, h)
			}
		}
	}
	// v2 comes first: what it has is not looked for in v1.
	slices.SortStableFunc(out, func(a, b hierarchy) int { return bit(b.v2) - bit(a.v2) })
	return out
}

// parseOwn reads /proc/self/cgroup: the supervisor's group by controller, with
// the empty name for v2.
func parseOwn(text string) map[string]string {
	own := map[string]string{}
	for line := range strings.Lines(text) {
		f := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(f) != 3 {
			continue
		}
		for name := range strings.SplitSeq(f[1], ",") {
			own[name] = f[2]
		}
	}
	return own
}

// locate gives the directory from which parent counts, and parent's own.
func (h hierarchy) locate(own map[string]string, parent string) (base, dir string) {
	base = h.mount
	if !filepath.IsAbs(parent) {
		name := ""
		if !h.v2 {
			name = h.controllers[0]
		}
		if name == tracker {
			name = "freezer"
		}
		at := own[name]
		if h.v2 && filepath.Base(at) == leaf {
			at = filepath.Dir(at) // upgraded after it had retreated
		}
		if rel, err := filepath.Rel(h.root, at); err == nil && filepath.IsLocal(rel) {
			base = filepath.Join(h.mount, rel)
		}
	}
	return base, filepath.Join(base, parent)
}

func writeControl(dir, file, value string) error {
	f, err := os.OpenFile(filepath.Join(dir, file), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(value)
	return errors.Join(err, f.Close())
}
