package observe

import (
	"time"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

// Facts are what a leading controller has measured.
type Facts struct {
	Now         time.Time
	Version     string // of the leader
	Controllers []Controller
	Agents      []Agent
	Backups     model.Backups
	BackupFault string // why the last one that was due was not made
}

// Controller is a member as the leader knows it.
type Controller struct {
	ID      string
	Name    string // as operators know it: its unit, or its address
	Address string
	Voter   bool
	Fault   string        // why it does not answer; empty where it does
	Skew    time.Duration // its clock less the leader's
	Lag     uint64        // entries of the log that it does not have
	Vitals  operator.Vitals
}

// Agent is a machine's agent as the leader knows it.
type Agent struct {
	Name    string // MODEL/MACHINE
	Heard   bool   // of late
	Version string
	Skew    time.Duration // its clock less the leader's
	Paths   []effect.Path
}

// The bounds that findings are made by.
const (
	SkewWarn = 250 * time.Millisecond
	SkewBad  = 10 * time.Second

	FsyncWarn = 100 * time.Millisecond
	FsyncBad  = time.Second // a leader that takes this long is voted out

	lagWarn     = 4096 // entries
	historyWarn = 50_000
)

// Judge returns a finding for each thing that is amiss, and one for each check
// that found nothing. They are in the order in which to look at them.
func Judge(f Facts) []operator.Finding {
	var all []operator.Finding
	for _, check := range []func(Facts) []operator.Finding{
		quorum, answering, paths, agentPaths, clocks, disks, certificates, copies, past, silent, versions,
	} {
		all = append(all, check(f)...)
	}
	return all
}

// several reports whether there are controllers that could succeed each other.
func (f Facts) several() bool { return len(f.Controllers) > 1 }

// orOK returns what a check found, or that it found nothing.
func orOK(found []operator.Finding, check, what string) []operator.Finding {
	if len(found) > 0 {
		return found
	}
	return []operator.Finding{{Check: check, Level: operator.FindingOK, What: what}}
}
