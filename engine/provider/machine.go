package provider

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// Spec is a machine that is asked for. UUID is its identity: two specs of one
// UUID are the same machine.
type Spec struct {
	UUID        string
	Model       model.ModelName
	Name        model.MachineName
	Base        string // "debian", "host", or empty for the provider's own choice
	Constraints model.Constraints
	Packages    []string          // apt packages, name or name=version, that its shared layer holds
	Software    []effect.Software // that its shared layers hold, where the provider has such
	Hostname    string
	Files       map[string]File // by absolute path; written before each start
	Shared      []Mount
}

// File is the content of a file in a machine, owned by its root user.
type File struct {
	Content []byte
	Mode    fs.FileMode
}

// Mount shows a directory of the host inside a machine. The directory is made
// where it is missing, and is never removed with the machine.
type Mount struct {
	Host   string `json:"host"`
	Inside string `json:"inside"`
}

// Instance is a machine that there is.
type Instance struct {
	UUID    string
	Model   model.ModelName
	Name    model.MachineName
	Address netip.Addr
	State   State
	Root    string // directory that is "/" to the agent inside
	Run     string // directory inside for sockets, mode 0700; a reboot empties it
	Binary  string // path inside of the gantry binary
	PID     int    // of the first process, as the host numbers it; 0 where none runs
	Message string // why it does not run, or what it lacks
}

// Make makes the host's directory of a mount, below root where that is not
// empty. Every user of the machines that see it may write there, each what is
// its own, as in /tmp; on the host only the owner of its parent comes near.
func (m Mount) Make(root string) error {
	dir := filepath.Join(root, m.Host)
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return fmt.Errorf("make shared directory %s: %w", m.Host, err)
	}
	if err := os.Mkdir(dir, 0o700); errors.Is(err, fs.ErrExist) {
		return nil
	} else if err != nil {
		return fmt.Errorf("make shared directory %s: %w", m.Host, err)
	}
	return os.Chmod(dir, os.ModeSticky|0o777)
}

// State says whether a machine runs.
type State uint8

// The states of a machine. Create starts a stopped one; a broken one cannot be
// started, its message says why.
const (
	Running State = iota + 1
	Stopped
	Broken
)

var stateWords = [...]string{"unknown", "running", "stopped", "broken"}

// String is the word that status prints.
func (s State) String() string {
	if int(s) < len(stateWords) {
		return stateWords[s]
	}
	return fmt.Sprintf("state(%d)", uint8(s))
}

// ExitError is a command in a machine that ended with a code other than 0.
type ExitError struct{ Code int }

// Error names the code.
func (e *ExitError) Error() string { return fmt.Sprintf("exit code %d", e.Code) }

var (
	uuidPattern     = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)
	hostnamePattern = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
	packagePattern  = regexp.MustCompile(`^[a-z0-9][a-z0-9+.-]+(=[A-Za-z0-9.+:~-]+)?$`)
)

// Validate refuses what no provider could make.
func (s Spec) Validate() error {
	switch {
	case !uuidPattern.MatchString(s.UUID):
		return fmt.Errorf("machine UUID %q: expected lower case letters, digits and dashes: %w", s.UUID, model.ErrInvalid)
	case !hostnamePattern.MatchString(s.Hostname):
		return fmt.Errorf("host name %q of machine %s: expected lower case letters, digits and dashes: %w", s.Hostname, s.UUID, model.ErrInvalid)
	case !slices.Contains([]string{"", BaseDebian, BaseHost}, s.Base):
		return fmt.Errorf("base %q of machine %s: expected %s or %s: %w", s.Base, s.UUID, BaseDebian, BaseHost, model.ErrInvalid)
	}
	for _, p := range s.Packages {
		if !packagePattern.MatchString(p) {
			return fmt.Errorf("package %q of machine %s: expected NAME or NAME=VERSION: %w", p, s.UUID, model.ErrInvalid)
		}
	}
	if err := (effect.Desired{Software: named(s.Software)}).Validate(); err != nil {
		return fmt.Errorf("software of machine %s: %w", s.UUID, err)
	}
	for p := range s.Files {
		if !absolute(p) {
			return fmt.Errorf("file %q of machine %s: expected a clean absolute path: %w", p, s.UUID, model.ErrInvalid)
		}
	}
	for _, m := range s.Shared {
		if !absolute(m.Host) || !absolute(m.Inside) {
			return fmt.Errorf("shared directory %q at %q of machine %s: expected clean absolute paths: %w", m.Host, m.Inside, s.UUID, model.ErrInvalid)
		}
	}
	return nil
}

// named gives software the ids that its validation asks for.
func named(all []effect.Software) []effect.Software {
	all = slices.Clone(all)
	for i, s := range all {
		all[i].ID = effect.ID(s.Directory())
	}
	return all
}

func absolute(p string) bool { return path.IsAbs(p) && path.Clean(p) == p && p != "/" }
