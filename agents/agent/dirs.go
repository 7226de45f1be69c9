package agent

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// Dirs says where an agent keeps things.
type Dirs struct {
	Root  string // "/" or the machine's directory
	State string // survives a reboot
	Run   string // need not
	Log   string
}

// SystemDirs are those of an agent that runs as root.
func SystemDirs() Dirs {
	return Dirs{Root: "/", State: "/var/lib/gantry", Run: "/run/gantry", Log: "/var/log/gantry"}
}

// UserDirs are those of an agent without root, by the XDG base directory
// specification.
func UserDirs(getenv func(string) string) Dirs {
	or := func(name, otherwise string) string {
		if v := getenv(name); filepath.IsAbs(v) {
			return v
		}
		return otherwise
	}
	state := filepath.Join(or("XDG_STATE_HOME", filepath.Join(getenv("HOME"), ".local/state")), "gantry")
	return Dirs{Root: "/", State: state, Run: filepath.Join(or("XDG_RUNTIME_DIR", state), "gantry"), Log: filepath.Join(state, "log")}
}

// Below are the directories of a machine whose root is a directory.
func Below(root string) Dirs {
	return Dirs{
		Root: root, State: filepath.Join(root, "var/lib/gantry"),
		Run: filepath.Join(root, "run/gantry"), Log: filepath.Join(root, "var/log/gantry"),
	}
}

func (d Dirs) journals() string { return filepath.Join(d.State, "journal") }

func (d Dirs) journal(u model.UnitName) string { return filepath.Join(d.journals(), u.Dashed()) }

// outcomes is where a unit's tasks leave what came of them.
func (d Dirs) outcomes(u model.UnitName) string { return filepath.Join(d.State, "tasks", u.Dashed()) }

// machineOutcomes is where tasks of machine scope do; no unit has that name.
func (d Dirs) machineOutcomes() string { return filepath.Join(d.State, "tasks", "machine") }

// machineTasks is the journal of the tasks of machine scope.
func (d Dirs) machineTasks() string { return filepath.Join(d.State, "machine-tasks") }

// offsets is where it is kept how far services' logs were sent.
func (d Dirs) offsets() string { return filepath.Join(d.State, "logs.json") }

// Software is the machine's, of which each content has a directory.
func (d Dirs) Software() string { return filepath.Join(d.State, "software") }

// Host is what a unit's charm is told of places.
func (d Dirs) Host(u model.UnitName) effect.Host {
	return effect.Host{
		Root: d.Root,
		Data: filepath.Join(d.State, "data", u.Dashed()), Config: filepath.Join(d.State, "config", u.Dashed()),
		Run: filepath.Join(d.Run, "unit", u.Dashed()), Log: filepath.Join(d.Log, u.Dashed()), Software: d.Software(),
	}
}

// open makes the directories, and lets services that run as other users pass
// through to their own; what they may not see has a mode of its own.
func (d Dirs) open() error {
	for _, dir := range []string{d.State, d.Run, d.Log} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("make the agent's directories: %w", err)
		}
		info, err := os.Stat(dir)
		if err != nil {
			return err
		}
		if mode := info.Mode().Perm(); mode&0o011 != 0o011 {
			if err := os.Chmod(dir, mode|0o011); err != nil {
				return fmt.Errorf("let services pass through %s: %w", dir, err)
			}
		}
	}
	return nil
}

// makeHost makes a unit's directories. Services run as users of their own, so
// all may pass through.
func makeHost(h effect.Host) error {
	for _, dir := range []string{h.Data, h.Config, h.Run, h.Log} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("make the unit's directories: %w", err)
		}
	}
	return nil
}

// clearHost removes a unit's directories and names those that still hold
// data. What is left of configuration, sockets and logs goes.
func clearHost(h effect.Host) (left []string, err error) {
	for _, dir := range []string{h.Config, h.Run, h.Log} {
		err = errors.Join(err, os.RemoveAll(dir))
	}
	entries, readErr := os.ReadDir(h.Data)
	if readErr != nil && !errors.Is(readErr, fs.ErrNotExist) {
		return nil, errors.Join(err, readErr)
	}
	if len(entries) > 0 {
		return []string{h.Data}, err
	}
	if removeErr := os.Remove(h.Data); removeErr != nil && !errors.Is(removeErr, fs.ErrNotExist) {
		err = errors.Join(err, removeErr)
	}
	return nil, err
}
