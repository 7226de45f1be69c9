package supervise

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

const hybridMounts = `31 30 0:27 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct
32 30 0:28 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory
33 30 0:29 /docker/x /sys/fs/cgroup/freezer rw,relatime - cgroup cgroup rw,freezer
34 30 0:30 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,name=systemd
35 30 0:31 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
36 30 0:32 / /tmp rw - tmpfs tmpfs rw
`

func TestHierarchiesAreReadFromTheMounts(t *testing.T) {
	want := []hierarchy{
		{mount: "/sys/fs/cgroup/unified", root: "/", v2: true},
		{mount: "/sys/fs/cgroup/cpu,cpuacct", root: "/", controllers: []string{cpu}},
		{mount: "/sys/fs/cgroup/memory", root: "/", controllers: []string{memory}},
		{mount: "/sys/fs/cgroup/freezer", root: "/docker/x", controllers: []string{tracker}},
	}
	if got := parseHierarchies(hybridMounts); !reflect.DeepEqual(got, want) {
		t.Errorf("hierarchies %+v", got)
	}
}

func TestAMountHidesTheOneBelowIt(t *testing.T) {
	got := parseHierarchies("30 20 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup rw\n40 20 0:26 /test /sys/fs/cgroup rw - cgroup2 cgroup rw\n")
	if want := []hierarchy{{mount: "/sys/fs/cgroup", root: "/test", v2: true}}; !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestParentGroupCountsFromTheMountOrFromTheSupervisor(t *testing.T) {
	own := parseOwn("5:cpu,cpuacct:/user\n4:memory:/user/1\n3:freezer:/docker/x/y\n0::/machine/supervisor\n")
	h := parseHierarchies(hybridMounts)
	for _, c := range []struct {
		h            hierarchy
		parent, want string
	}{
		{h[0], "g", "/sys/fs/cgroup/unified/machine/g"}, // not below the leaf it retreated to
		{h[0], "/g", "/sys/fs/cgroup/unified/g"},
		{h[1], "g", "/sys/fs/cgroup/cpu,cpuacct/user/g"},
		{h[2], "g/h", "/sys/fs/cgroup/memory/user/1/g/h"},
		{h[3], "g", "/sys/fs/cgroup/freezer/y/g"},
		{hierarchy{mount: "/m", root: "/elsewhere", v2: true}, "g", "/m/g"},
	} {
		if _, got := c.h.locate(own, c.parent); got != c.want {
			t.Errorf("%s in %s: %s, want %s", c.parent, c.h.mount, got, c.want)
		}
	}
}

// fakeGroup is a directory with the files of a control group.
func fakeGroup(t *testing.T, dir string, files ...string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if err := os.WriteFile(filepath.Join(dir, f), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestLimitsAreWrittenInTheWordsOfEachVersion(t *testing.T) {
	limits := Limits{MemoryMiB: 64, CPUPercent: 250, Pids: 9}
	for name, c := range map[string]struct {
		v2   bool
		want map[string]string
	}{
		"v1": {false, map[string]string{
			"memory.limit_in_bytes": "67108864", "cpu.cfs_period_us": "100000", "cpu.cfs_quota_us": "250000", "pids.max": "9",
		}},
		"v2": {true, map[string]string{
			"memory.max": "67108864", "memory.oom.group": "1", "memory.swap.max": "0", "cpu.max": "250000 100000", "pids.max": "9",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for f := range c.want {
				fakeGroup(t, filepath.Join(dir, "app%2F0"), f)
			}
			g := &cgroups{places: map[string]place{tracker: {dir, c.v2}, memory: {dir, c.v2}, cpu: {dir, c.v2}, pids: {dir, c.v2}}}
			made, lacking := g.create("app/0", limits)
			if b, _ := os.ReadFile(filepath.Join(dir, "app%2F0", "pids.max")); string(b) != "41" {
				t.Errorf("the stage, which has threads, may have %q processes", b)
			}
			fakeGroup(t, filepath.Join(dir, "app%2F0"), "pids.max")
			if lacking = append(lacking, made.finish(limits)...); len(lacking) != 0 {
				t.Errorf("lacking %v", lacking)
			}
			for f, want := range c.want {
				if b, _ := os.ReadFile(filepath.Join(dir, "app%2F0", f)); string(b) != want {
					t.Errorf("%s holds %q, want %q", f, b, want)
				}
			}
		})
	}
}

func TestWhatTheMachineDoesNotAllowIsSaidAndLeftOut(t *testing.T) {
	dir := t.TempDir()
	c := &cgroups{places: map[string]place{tracker: {dir, true}, cpu: {dir, true}}} // cpu.max is missing there
	g, lacking := c.create("a", Limits{MemoryMiB: 64, CPUPercent: 50})
	if len(lacking) != 2 || !strings.Contains(lacking[0], "limit memory") || !strings.Contains(lacking[1], "limit cpu") {
		t.Errorf("lacking %q", lacking)
	}
	if !g.tracks() {
		t.Error("the group that there is is not used")
	}
	if _, lacking := c.create("b", Limits{}); len(lacking) != 0 {
		t.Errorf("no limit is asked for, yet lacking %q", lacking)
	}
}

// needsController skips where the test's own user has no such controller.
func needsController(t *testing.T, name string) {
	t.Helper()
	rootOnly(t)
	c := openCgroups("gantry-supervise-probe")
	defer c.close()
	if !c.has(name) {
		t.Skipf("no %s controller here: %v", name, c.lacking)
	}
}

func TestMemoryLimitKillsTheServiceAndSaysSo(t *testing.T) {
	needsController(t, memory)
	c := supervisorIn(t, testConfig(shortDir(t)))
	s := shell("eater", `x=0123456789abcdef; while :; do x=$x$x; done`)
	s.Limits.MemoryMiB = 24
	s.Backoff = Backoff{Min: time.Hour, Max: time.Hour}
	if p := mustStart(t, c, s); len(p.Lacking) != 0 {
		t.Fatalf("lacking %v", p.Lacking)
	}
	p := until(t, c, "eater", "is killed", func(p Process) bool { return p.State == Waiting })
	if !p.LastExit.OutOfMemory || p.LastExit.Signal.String() != "SIGKILL" {
		t.Errorf("last exit %+v", p.LastExit)
	}
}

func TestPidsLimitStopsForks(t *testing.T) {
	needsController(t, pids)
	dir := shortDir(t)
	c := supervisorIn(t, testConfig(dir))
	log := filepath.Join(dir, "log")
	s := shell("forker", `while :; do sleep 1000 & done`)
	s.Limits.Pids, s.LogFile = 4, log
	s.Backoff = Backoff{Min: time.Hour, Max: time.Hour}
	mustStart(t, c, s)
	untilFile(t, log, func(s string) bool { return strings.Contains(s, "ork") })
}

func TestStopReachesWhoeverLeftTheSession(t *testing.T) {
	needsController(t, tracker)
	dir := shortDir(t)
	c := supervisorIn(t, testConfig(dir))
	out := filepath.Join(dir, "pid")
	mustStart(t, c, shell("daemon", `(setsid sh -c 'echo $$ > `+out+`; exec sleep 1000' &); exec sleep 1000`))
	pid := atoi(t, strings.TrimSpace(untilFile(t, out, func(s string) bool { return strings.HasSuffix(s, "\n") })))
	if _, err := c.Stop(t.Context(), "daemon"); err != nil {
		t.Fatal(err)
	}
	if running(pid) {
		t.Error("a process in a session of its own runs on")
	}
}

func TestNoCgroupIsLeftBehind(t *testing.T) {
	needsController(t, tracker)
	c := testConfig(shortDir(t))
	t.Run("supervise", func(t *testing.T) {
		client := supervisorIn(t, c)
		s := shell("a", "exec sleep 1000")
		s.Limits = Limits{MemoryMiB: 64, CPUPercent: 50, Pids: 10}
		mustStart(t, client, s)
	})
	noneLeft(t, groupOf(c.Dir))
}

func TestWhatAKilledSupervisorLeftIsSwept(t *testing.T) {
	needsController(t, tracker)
	dir := shortDir(t)
	left := openCgroups(groupOf(dir))
	t.Cleanup(left.close)
	if g, lacking := left.create("app/0", Limits{CPUPercent: 50, Pids: 10}); len(lacking) > 0 {
		t.Fatal(g, lacking)
	}
	if err := Sweep(dir); err != nil {
		t.Fatal(err)
	}
	noneLeft(t, groupOf(dir))
	if err := Sweep(dir); err != nil {
		t.Errorf("where nothing is left: %v", err)
	}
}

func noneLeft(t *testing.T, group string) {
	t.Helper()
	err := filepath.WalkDir("/sys/fs/cgroup", func(path string, d os.DirEntry, _ error) error {
		if d != nil && d.Name() == group {
			t.Errorf("%s is left", path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
