package roles

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gantry-orchestrator/gantry/engine/observe"
	"github.com/gantry-orchestrator/gantry/engine/provider"
	"github.com/gantry-orchestrator/gantry/engine/provider/sandbox"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

// health is where the controller of an install says whether it is well.
func (i Install) health() string {
	port := i.Health
	switch {
	case port < 0:
		return ""
	case port == 0:
		port = i.Port + 1
	}
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
}

// Local is what there is to say of this host without a controller.
func Local(p Places) []operator.Finding {
	dir := existing(p.State)
	h := observe.Host{Name: "this host", Dir: dir, FreeMiB: freeMiB(dir), SizeMiB: sizeMiB(dir)}
	var name unix.Utsname
	if unix.Uname(&name) == nil {
		h.Kernel = unix.ByteSliceToString(name.Release[:])
	}
	h.Cgroups = cgroups()
	var files unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &files) == nil {
		h.OpenFiles = files.Max
	}
	choice := provider.Choose(sandbox.Detect(dir))
	h.Provider, h.Lacks = choice.Provider, choice.Lacks
	var clock unix.Timex
	if state, err := unix.Adjtimex(&clock); err == nil {
		const unsynchronized = 5 // TIME_ERROR of adjtimex(2)
		h.ClockKnown, h.ClockSynchronized = true, state != unsynchronized
	}
	h.Fsync, h.FsyncFault = tryDisk(dir)
	return observe.JudgeHost(h)
}

// existing is a directory, or the nearest above it that there is.
func existing(dir string) string {
	for dir != "/" {
		if _, err := os.Stat(dir); err == nil {
			return dir
		}
		dir = filepath.Dir(dir)
	}
	return dir
}

func sizeMiB(dir string) int {
	var fs unix.Statfs_t
	if unix.Statfs(dir, &fs) != nil {
		return 0
	}
	return int(fs.Blocks * uint64(fs.Bsize) >> 20)
}

// cgroups says which hierarchies there are: "v2", "v1" or none.
func cgroups() string {
	if _, err := os.Stat("/sys/fs/cgroup/cgroup.controllers"); err == nil {
		return "v2"
	}
	if b, err := os.ReadFile("/proc/self/cgroup"); err == nil && strings.Contains(string(b), ":memory:") {
		return "v1"
	}
	return ""
}

// tryDisk is the slowest of a few small writes that the disk was to keep.
func tryDisk(dir string) (worst time.Duration, fault string) {
	f, err := os.CreateTemp(dir, ".doctor-*")
	if err != nil {
		return 0, err.Error()
	}
	defer os.Remove(f.Name())
	defer f.Close()
	for range 5 {
		began := time.Now()
		if _, err = f.WriteAt(make([]byte, 512), 0); err == nil {
			err = f.Sync()
		}
		if err != nil {
			return worst, fmt.Sprintf("write to %s: %v", dir, err)
		}
		worst = max(worst, time.Since(began))
	}
	return worst, ""
}
