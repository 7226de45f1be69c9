package roles

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/gantry-orchestrator/gantry/engine/controller"
	"github.com/gantry-orchestrator/gantry/model"
)

// Places is where one install on this host keeps things.
type Places struct {
	State string // survives a reboot; names the install
	Run   string // sockets
	Log   string
	Cache string // package layers and bases; shared by installs
}

// DefaultPlaces are those of the system for root, and else those of the XDG
// base directory specification.
func DefaultPlaces(getenv func(string) string) Places {
	if os.Geteuid() == 0 {
		return Places{State: "/var/lib/gantry", Run: "/run/gantry", Log: "/var/log/gantry", Cache: "/var/cache/gantry"}
	}
	or := func(name, otherwise string) string {
		if v := getenv(name); filepath.IsAbs(v) {
			return v
		}
		return filepath.Join(getenv("HOME"), otherwise)
	}
	state := filepath.Join(or("XDG_STATE_HOME", ".local/state"), "gantry")
	run := filepath.Join(state, "run")
	if dir := getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(dir) {
		run = filepath.Join(dir, "gantry")
	}
	return Places{State: state, Run: run, Log: filepath.Join(state, "log"), Cache: filepath.Join(or("XDG_CACHE_HOME", ".cache"), "gantry")}
}

// At are the places of the install that keeps its state in a directory: p
// itself, or one that keeps all but its cache below.
func (p Places) At(dir string) (Places, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return p, fmt.Errorf("state directory %q: %w", dir, err)
	}
	if abs == p.State {
		return p, nil
	}
	return Places{State: abs, Run: filepath.Join(abs, "run"), Log: filepath.Join(abs, "log"), Cache: p.Cache}, nil
}

// AdminContext is the identity of the operator who ran up.
func (p Places) AdminContext() string { return controller.AdminContext(p.controller()) }

func (p Places) hostContext() string    { return controller.HostContext(p.controller()) }
func (p Places) config() string         { return filepath.Join(p.State, "config.json") }
func (p Places) controller() string     { return filepath.Join(p.State, "controller") }
func (p Places) provider() string       { return filepath.Join(p.State, "machines") }
func (p Places) supervisor() string     { return filepath.Join(p.State, "supervisor") }
func (p Places) shared() string         { return filepath.Join(p.State, "shared") }
func (p Places) socket() string         { return filepath.Join(p.Run, "supervisor", "socket") }
func (p Places) log(role string) string { return filepath.Join(p.Log, role+".log") }

// make makes the directories. What an install holds is its owner's alone, but
// charms run as nobody and must pass through to their sockets.
func (p Places) make() error {
	if err := p.claim(); err != nil {
		return err
	}
	for dir, mode := range map[string]fs.FileMode{p.State: 0o711, p.Run: 0o711, p.Log: 0o750, p.Cache: 0o755} {
		if err := os.MkdirAll(dir, mode); err != nil {
			return fmt.Errorf("make the places of this install: %w", err)
		}
	}
	for _, dir := range []string{p.State, p.Run} {
		if err := os.Chmod(dir, 0o711); err != nil {
			return fmt.Errorf("make the places of this install: %w", err)
		}
	}
	return nil
}

// begin returns what takes away again what make and saveInstall make from now
// on, as far as nothing else came to be in it.
func (p Places) begin() (undo func()) {
	var made []string
	for _, path := range []string{p.config(), p.Log, p.Run, p.State} {
		if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
			made = append(made, path)
		}
	}
	return func() {
		for _, path := range made {
			_ = os.Remove(path) // a directory that holds something stays
		}
	}
}

// flag is what names the install on a command line, where that is needed.
func (p Places) flag() string {
	if p.State == DefaultPlaces(os.Getenv).State {
		return ""
	}
	return " --" + stateDirFlag + " " + p.State
}

// Install is what up chose, for the processes that it starts.
type Install struct {
	Provider string `json:"provider"` // sandbox or loopback
	Base     string `json:"base,omitempty"`
	Port     int    `json:"port"`             // of the controller
	Health   int    `json:"health,omitempty"` // port of health on 127.0.0.1; 0 is the one above Port
	// Controller is the ID of the one that was started here: another one is
	// not begun in its place.
	Controller string `json:"controller,omitempty"`
	Epoch      string `json:"epoch,omitempty"`     // of a restored one, as model.Epoch writes it
	Advertise  string `json:"advertise,omitempty"` // host:port for operators and other hosts
}

// loadInstall reads what up chose; an install that is not up yet is
// model.ErrNotFound.
func (p Places) loadInstall() (i Install, err error) {
	b, err := os.ReadFile(p.config())
	if errors.Is(err, fs.ErrNotExist) {
		return i, fmt.Errorf("nothing is installed in %s: run gantry up: %w", p.State, model.ErrNotFound)
	}
	if err != nil {
		return i, fmt.Errorf("read the install: %w", err)
	}
	if err := json.Unmarshal(b, &i); err != nil {
		return i, fmt.Errorf("%s: %w: %w", p.config(), err, model.ErrInvalid)
	}
	if i.Provider != "sandbox" && i.Provider != "loopback" {
		return i, fmt.Errorf("%s is not of an install: expected the provider sandbox or loopback, found %q: %w", p.config(), i.Provider, model.ErrInvalid)
	}
	return i, nil
}

func (p Places) saveInstall(i Install) error {
	b, err := json.MarshalIndent(i, "", "\t")
	if err != nil {
		return err
	}
	temporary := p.config() + ".new"
	if err := os.WriteFile(temporary, append(b, '\n'), 0o600); err != nil {
		return fmt.Errorf("save the install: %w", err)
	}
	return os.Rename(temporary, p.config())
}
