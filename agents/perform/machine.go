package perform

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/gantry-orchestrator/gantry/engine/provider/depot"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// Machine performs the steps of one unit that touch packages, software, files
// and volumes. Services are the supervisor's.
type Machine struct {
	Packages *Apt // nil: packages are refused
	Software depot.Depot
	Secrets  Secrets
	// Versions are those recorded for the application, by package.
	Versions map[string]string
	Warrants []effect.Warrant
	// InUse reports whether another unit of the machine wants a package.
	InUse func(name string) bool
	// Uses reports whether another unit of the machine wants a software, by its
	// directory.
	Uses func(directory string) bool
}

// former is what effect.Applied.Former holds.
type former struct {
	Before *Before  `json:"before,omitempty"`
	Adds   []string `json:"adds,omitempty"` // packages
}

// Result is what performing a step came to.
type Result struct {
	Digest string   // of a file that was written
	Left   []string // what an undo had to leave
}

// Former looks at what the step is about to change, and returns the data that
// undoes it. It is journaled before Do.
func (m Machine) Former(ctx context.Context, s effect.Step) (string, error) {
	var f former
	switch s.Kind {
	case effect.Install:
		if s.Effect.Software != nil {
			adds, err := m.client(ctx, *s.Effect.Software)
			if err != nil {
				return "", err
			}
			f.Adds = adds
			break
		}
		if m.Packages == nil {
			return "", fmt.Errorf("install %s: this machine has no apt: %w", s.Effect.Package.Name, model.ErrDenied)
		}
		adds, err := m.Packages.Plan(ctx, s.Effect.Package.Name, m.version(*s.Effect.Package))
		if err != nil {
			return "", err
		}
		f.Adds = adds
	case effect.Write:
		before, err := Look(s.Effect.File.Path)
		if err != nil {
			return "", err
		}
		f.Before = &before
	case effect.Stamp, effect.Wipe:
		f.Before = &Before{Made: missingParents(s.Effect.Volume.Path)}
	default:
		return "", nil
	}
	b, err := json.Marshal(f)
	return string(b), err
}

func (m Machine) version(p effect.Package) string {
	if p.Version != "" {
		return p.Version
	}
	return m.Versions[p.Name]
}

// Do performs a step on a package, software, file or volume. was is the step's Former,
// for steps that undo.
func (m Machine) Do(ctx context.Context, s effect.Step, was string) (Result, error) {
	var f former
	if was != "" {
		if err := json.Unmarshal([]byte(was), &f); err != nil {
			return Result{}, fmt.Errorf("read the journal's data that undoes %s: %w: %w", s.ID, err, model.ErrConflict)
		}
	}
	switch s.Kind {
	case effect.Install:
		if s.Effect.Software != nil {
			return Result{}, m.fetch(ctx, *s.Effect.Software)
		}
		return Result{}, m.Packages.Install(ctx, s.Effect.Package.Name, m.version(*s.Effect.Package))
	case effect.Write:
		digest, err := WriteFile(ctx, m.Secrets, *s.Effect.File)
		return Result{Digest: digest}, err
	case effect.Stamp, effect.Wipe:
		return Result{}, MakeVolume(*s.Effect.Volume, m.Warrants)
	case effect.Release:
		return m.release(f, func() ([]string, error) { return ReleaseVolume(*s.Effect.Volume) })
	case effect.Destroy:
		return m.release(f, func() ([]string, error) { return DestroyVolume(*s.Effect.Volume, m.Warrants) })
	case effect.Remove:
		return m.remove(ctx, s.Effect, f)
	default:
		return Result{}, fmt.Errorf("%s is no step of a package, software, file or volume: %w", s.Name(), model.ErrInvalid)
	}
}

func (m Machine) release(f former, end func() ([]string, error)) (Result, error) {
	left, err := end()
	if err == nil && f.Before != nil {
		removeEmpty(f.Before.Made)
	}
	return Result{Left: left}, err
}

func (m Machine) remove(ctx context.Context, e effect.Effect, f former) (Result, error) {
	if e.File != nil {
		before := f.Before
		if before == nil {
			before = &Before{}
		}
		left, err := RestoreFile(e.File.Path, *before)
		return Result{Left: left}, err
	}
	if e.Software != nil && !m.Uses(e.Software.Directory()) {
		if err := m.Software.Remove(ctx, *e.Software); err != nil {
			return Result{}, err
		}
	}
	if e.Package == nil && e.Software == nil || m.Packages == nil {
		return Result{}, nil
	}
	left, err := m.Packages.Remove(ctx, f.Adds, m.InUse)
	return Result{Left: left}, err
}
