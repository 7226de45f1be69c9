package observe

import (
	"fmt"
	"strings"
	"time"

	"github.com/gantry-orchestrator/gantry/model/operator"
)

// Host is what a host says of itself.
type Host struct {
	Name              string
	Kernel            string // release
	Cgroups           string // v2, v1 or none
	OpenFiles         uint64 // that one process may have; 0: not known
	Provider          string // that suits it
	Lacks             []string
	ClockKnown        bool
	ClockSynchronized bool
	Dir               string // of the install
	FreeMiB, SizeMiB  int
	Fsync             time.Duration
	FsyncFault        string
}

// leastFiles that one process may have open: each agent's session is one.
const leastFiles = 4096

// JudgeHost returns a finding for each check of a host, in the order in which to
// look at them.
func JudgeHost(h Host) []operator.Finding {
	return []operator.Finding{kernel(h), h.cgroups(), h.limits(), h.clock(), h.fsync(), Space(h.Name, h.FreeMiB, h.SizeMiB)}
}

func kernel(h Host) operator.Finding {
	f := operator.Finding{Check: "kernel", Subject: h.Name, Level: operator.FindingOK, What: fmt.Sprintf("Linux %s has what %s machines need", h.Kernel, h.Provider)}
	if len(h.Lacks) > 0 {
		f.Level = operator.FindingWarn
		f.What = fmt.Sprintf("Linux %s, %s machines; lacking: %s", h.Kernel, h.Provider, strings.Join(h.Lacks, "; "))
		f.Why = "machines are less isolated, or some charms cannot run on them"
		f.Do = "run as root on a kernel with namespaces, overlay and nftables, or choose another provider at gantry up"
	}
	return f
}

func (h Host) cgroups() operator.Finding {
	f := operator.Finding{Check: "cgroups", Subject: h.Name, Level: operator.FindingOK, What: h.Cgroups}
	if h.Cgroups == "" {
		f.Level, f.What = operator.FindingWarn, "there are none"
		f.Why, f.Do = "limits of memory and processor are not kept", "mount cgroup2 at /sys/fs/cgroup"
	}
	return f
}

func (h Host) limits() operator.Finding {
	f := operator.Finding{Check: "limits", Subject: h.Name, Level: operator.FindingOK, What: fmt.Sprintf("a process may have %d files open", h.OpenFiles)}
	if h.OpenFiles > 0 && h.OpenFiles < leastFiles {
		f.Level = operator.FindingWarn
		f.Why, f.Do = "a controller with many agents, or a database, runs out of them", "raise the hard limit of open files (ulimit -Hn)"
	}
	return f
}

func (h Host) clock() operator.Finding {
	f := operator.Finding{Check: "clock", Subject: h.Name, Level: operator.FindingOK, What: "a time service keeps it"}
	switch {
	case !h.ClockKnown:
		f.What = "whether a time service keeps it is not told here"
	case !h.ClockSynchronized:
		f.Level, f.What = operator.FindingWarn, "no time service keeps it"
		f.Why = "certificates, records and logs of different hosts no longer fit together"
		f.Do = "run a time service, such as chrony"
	}
	return f
}

func (h Host) fsync() operator.Finding {
	if h.FsyncFault == "" {
		return Fsync(h.Name, h.Fsync)
	}
	return operator.Finding{
		Check: "disk", Subject: h.Name, Level: operator.FindingWarn, What: "it cannot be tried: " + h.FsyncFault,
		Why: "how long it takes to keep a write is not known", Do: "run gantry doctor as the user of the install",
	}
}
