package supervise

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// group is the control group of one service: a directory for each controller,
// of which two may be the same. It is kept with the process, for a supervisor
// started elsewhere would look elsewhere. The zero group does nothing.
type group struct {
	Dirs map[string]string `json:"dirs,omitempty"`
	V2   []string          `json:"v2,omitempty"` // the controllers that are v2
}

// create makes the group of a service with its limits. What the machine does
// not allow is said and left out.
func (c *cgroups) create(id string, l Limits) (g group, lacking []string) {
	g.Dirs = map[string]string{}
	for _, s := range settings(l) {
		p, ok := c.places[s.controller]
		if !ok {
			if s.wanted() {
				lacking = append(lacking, fmt.Sprintf("limit %s: no cgroup controller that user %d may use", s.controller, os.Geteuid()))
			}
			continue
		}
		if !s.wanted() && s.controller != tracker {
			continue
		}
		dir := filepath.Join(p.dir, url.PathEscape(id))
		if err := os.MkdirAll(dir, 0o755); err != nil {
			lacking = append(lacking, fmt.Sprintf("cgroup %s: %v", s.controller, err))
			continue
		}
		g.Dirs[s.controller] = dir
		if p.v2 {
			g.V2 = append(g.V2, s.controller)
		}
		controls := s.stage
		if len(controls) == 0 {
			controls = s.in(p.v2)
		}
		if err := write(dir, controls); err != nil {
			lacking = append(lacking, fmt.Sprintf("limit %s: %v", s.controller, err))
		}
	}
	return g, lacking
}

// finish puts the limits of the service in place of those of the stage. For
// the moment since exec the service had some more room.
func (g group) finish(l Limits) (lacking []string) {
	for _, s := range settings(l) {
		dir := g.Dirs[s.controller]
		if dir == "" || len(s.stage) == 0 {
			continue
		}
		if err := write(dir, s.in(slices.Contains(g.V2, s.controller))); err != nil {
			lacking = append(lacking, fmt.Sprintf("limit %s: %v", s.controller, err))
		}
	}
	return lacking
}

// control is a file of a group and what to write there. What is optional is a
// refinement that some kernels leave out.
type control struct {
	file, value string
	optional    bool
}

// setting is one controller and its limits in the words of v1 and of v2.
type setting struct {
	controller string
	v1, v2     []control
	stage      []control // until exec, for limits that the stage cannot live under
}

func (s setting) wanted() bool { return len(s.v2) > 0 }

// stageThreads is more than the stage has threads; one too few would kill it.
const stageThreads = 32

const cpuPeriod = 100_000 // microseconds

func settings(l Limits) []setting {
	out := []setting{{controller: tracker}, {controller: memory}, {controller: cpu}, {controller: pids}}
	if l.MemoryMiB > 0 {
		bytes := strconv.FormatInt(int64(l.MemoryMiB)<<20, 10)
		out[1].v1 = []control{{"memory.limit_in_bytes", bytes, false}, {"memory.memsw.limit_in_bytes", bytes, true}}
		out[1].v2 = []control{{"memory.max", bytes, false}, {"memory.swap.max", "0", true}, {"memory.oom.group", "1", true}}
	}
	if l.CPUPercent > 0 {
		quota := strconv.Itoa(l.CPUPercent * cpuPeriod / 100)
		out[2].v1 = []control{{"cpu.cfs_period_us", strconv.Itoa(cpuPeriod), false}, {"cpu.cfs_quota_us", quota, false}}
		out[2].v2 = []control{{"cpu.max", quota + " " + strconv.Itoa(cpuPeriod), false}}
	}
	if l.Pids > 0 {
		out[3].v1 = []control{{"pids.max", strconv.Itoa(l.Pids), false}}
		out[3].v2 = out[3].v1
		out[3].stage = []control{{"pids.max", strconv.Itoa(l.Pids + stageThreads), false}}
	}
	return out
}

func (s setting) in(v2 bool) []control {
	if v2 {
		return s.v2
	}
	return s.v1
}

func write(dir string, controls []control) error {
	for _, c := range controls {
		if err := writeControl(dir, c.file, c.value); err != nil && !c.optional {
			return err
		}
	}
	return nil
}

// add moves a process into the group. Its later children are born there.
func (g group) add(pid int) error {
	for _, dir := range g.distinct() {
		if err := writeControl(dir, "cgroup.procs", strconv.Itoa(pid)); err != nil {
			return fmt.Errorf("add process %d to cgroup: %w", pid, err)
		}
	}
	return nil
}

func (g group) distinct() []string {
	var dirs []string
	for _, d := range g.Dirs {
		dirs = append(dirs, d)
	}
	slices.Sort(dirs)
	return slices.Compact(dirs)
}

// tracks says whether the group knows which processes are the service's.
func (g group) tracks() bool { return g.Dirs[tracker] != "" }

// members are the processes in the group and the groups below it, which the
// service may have made itself.
func (g group) members() []int {
	var out []int
	_ = filepath.WalkDir(g.Dirs[tracker], func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.Name() != "cgroup.procs" {
			return nil // gone meanwhile
		}
		b, _ := os.ReadFile(path)
		for f := range strings.FieldsSeq(string(b)) {
			if pid, err := strconv.Atoi(f); err == nil && pid > 0 {
				out = append(out, pid)
			}
		}
		return nil
	})
	return out
}

// kill sends SIGKILL to all members. The kernel does so at once in v2; in v1
// the group is frozen meanwhile so that none can fork away.
func (g group) kill() {
	if !g.tracks() {
		return
	}
	dir := g.Dirs[tracker]
	if slices.Contains(g.V2, tracker) && writeControl(dir, "cgroup.kill", "1") == nil {
		return
	}
	_ = writeControl(dir, "freezer.state", "FROZEN")
	killAll(g.members())
	_ = writeControl(dir, "freezer.state", "THAWED")
}

func killAll(pids []int) {
	for _, pid := range pids {
		_ = unix.Kill(pid, unix.SIGKILL)
	}
}

// outOfMemory says whether the kernel killed a member for want of memory.
func (g group) outOfMemory() bool {
	if g.Dirs[memory] == "" {
		return false
	}
	file := "memory.oom_control"
	if slices.Contains(g.V2, memory) {
		file = "memory.events"
	}
	b, _ := os.ReadFile(filepath.Join(g.Dirs[memory], file))
	for line := range strings.Lines(string(b)) {
		if n, ok := strings.CutPrefix(line, "oom_kill "); ok {
			return strings.TrimSpace(n) != "0"
		}
	}
	return false
}

// remove deletes the empty group and those below it.
func (g group) remove() error {
	var errs []error
	for _, dir := range g.distinct() {
		errs = append(errs, removeGroups(dir))
	}
	return errors.Join(errs...)
}

func removeGroups(dir string) error {
	var dirs []string
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			dirs = append(dirs, path)
		}
		return nil
	})
	var errs []error
	for _, d := range slices.Backward(dirs) {
		if err := os.Remove(d); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// close removes the parent groups, if no service is left in them.
func (c *cgroups) close() {
	for _, p := range c.places {
		_ = os.Remove(p.dir)
	}
}
