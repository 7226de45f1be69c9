package supervise

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/gantry-orchestrator/gantry/model"
)

// Spec says how one service runs. Two specs with the same Hash are the same
// service; the lease is not part of the hash, for it is renewed while it runs.
type Spec struct {
	// ID names the service on its machine. It may contain slashes.
	ID string `json:"id"`
	// Command is the program and its arguments. A program without a slash is
	// looked up in the PATH of Env.
	Command []string `json:"command"`
	// Env is the whole environment, as KEY=value.
	Env []string `json:"env,omitempty"`
	// Dir is the working directory; empty means /.
	Dir string `json:"dir,omitempty"`
	// User and Group to run as, by name or number; empty keeps the supervisor's.
	User  string `json:"user,omitempty"`
	Group string `json:"group,omitempty"`

	// StopSignal asks the main process to end; SIGTERM when unset.
	StopSignal Signal `json:"stopSignal,omitempty"`
	// ReloadSignal or ReloadCommand (with MAINPID in its environment) makes the
	// service read its configuration again. ReloadCommand wins.
	ReloadSignal  Signal   `json:"reloadSignal,omitempty"`
	ReloadCommand []string `json:"reloadCommand,omitempty"`
	// StopTimeout is how long after StopSignal all its processes are killed.
	StopTimeout time.Duration `json:"stopTimeout,omitempty"`

	Limits Limits `json:"limits,omitzero"`

	// LogFile receives standard output and error; empty discards them.
	LogFile string `json:"logFile,omitempty"`
	// LogMaxBytes is the size at which the log is rotated, LogKeep how many
	// rotated files stay.
	LogMaxBytes int64 `json:"logMaxBytes,omitempty"`
	LogKeep     int   `json:"logKeep,omitempty"`

	Backoff Backoff `json:"backoff,omitzero"`

	// Lease, unless zero, is when the service must have stopped at the latest,
	// whether or not anybody is there to say so.
	Lease time.Time `json:"lease,omitzero"`
}

// Limits bound what a service may use; zero is unlimited.
type Limits struct {
	MemoryMiB  int    `json:"memoryMiB,omitempty"`
	CPUPercent int    `json:"cpuPercent,omitempty"` // of one core: 250 is two and a half
	Files      uint64 `json:"files,omitempty"`
	Pids       int    `json:"pids,omitempty"`
}

// Backoff bounds the pause before an unplanned restart.
type Backoff struct {
	Min time.Duration `json:"min,omitempty"`
	Max time.Duration `json:"max,omitempty"`
}

// The values of a Spec that leaves them out.
const (
	DefaultStopTimeout = 10 * time.Second
	DefaultBackoffMin  = 100 * time.Millisecond
	DefaultBackoffMax  = 30 * time.Second
	DefaultLogMaxBytes = 16 << 20
	DefaultLogKeep     = 3
)

// Hash identifies what the spec means: two specs that differ only in the lease
// or in values spelled out that are the default have the same hash.
func (s Spec) Hash() string {
	s = s.withDefaults()
	s.Lease = time.Time{}
	b, err := json.Marshal(s)
	if err != nil {
		panic(err) // a Spec holds nothing that JSON cannot say
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16])
}

// Validate reports the first thing in s that cannot be run.
func (s Spec) Validate() error {
	bad := func(what string) error { return fmt.Errorf("service %q: %s: %w", s.ID, what, model.ErrInvalid) }
	switch {
	case !validID(s.ID):
		return bad("its id must have 1 to 80 printable characters and not begin with a dot")
	case len(s.Command) == 0 || s.Command[0] == "":
		return bad("no command; name a program to run")
	case s.Dir != "" && !filepath.IsAbs(s.Dir):
		return bad("dir " + s.Dir + " is not absolute")
	case s.LogFile != "" && !filepath.IsAbs(s.LogFile):
		return bad("log file " + s.LogFile + " is not absolute")
	case s.StopTimeout < 0 || s.Backoff.Min < 0 || s.Backoff.Max < 0:
		return bad("a duration is negative")
	case s.Limits.MemoryMiB < 0 || s.Limits.CPUPercent < 0 || s.Limits.Pids < 0 || s.LogMaxBytes < 0 || s.LogKeep < 0:
		return bad("a limit is negative; leave it out for none")
	}
	for i, kv := range s.Env {
		if k, _, ok := strings.Cut(kv, "="); !ok || k == "" {
			return bad(fmt.Sprintf("environment entry %d is not KEY=value", i)) // its text may be a secret
		}
	}
	return nil
}

func validID(id string) bool {
	if id == "" || len(id) > 80 || id[0] == '.' {
		return false
	}
	return !strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r > '~' })
}

func (s Spec) withDefaults() Spec {
	s.StopSignal = cmp.Or(s.StopSignal, Signal(syscall.SIGTERM))
	s.StopTimeout = cmp.Or(s.StopTimeout, DefaultStopTimeout)
	s.Dir = cmp.Or(s.Dir, "/")
	s.Backoff.Min = cmp.Or(s.Backoff.Min, DefaultBackoffMin)
	s.Backoff.Max = max(cmp.Or(s.Backoff.Max, DefaultBackoffMax), s.Backoff.Min)
	s.LogMaxBytes = cmp.Or(s.LogMaxBytes, DefaultLogMaxBytes)
	s.LogKeep = cmp.Or(s.LogKeep, DefaultLogKeep)
	return s
}
