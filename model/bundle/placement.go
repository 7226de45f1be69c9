package bundle

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/gantry-orchestrator/gantry/model"
)

// Placement says where one unit goes: onto a target, or into a new container
// on it. Placements compare with ==.
type Placement struct {
	Container string // such as "lxd"; "" is the target itself
	Target    Target
}

// Target is where a placement points: OnMachine, OnNewMachine, WithUnit or
// WithApplication.
type Target interface {
	fmt.Stringer
	isTarget()
}

// OnMachine is a machine of the bundle's machines section.
type OnMachine struct{ Machine model.MachineName }

// OnNewMachine is a machine made for the unit.
type OnNewMachine struct{}

// WithUnit is the machine of another application's unit.
type WithUnit struct{ Unit model.UnitName }

// WithApplication is the machine of the other application's next unit, counted
// over the placements of one application.
type WithApplication struct{ Application model.ApplicationName }

func (OnMachine) isTarget()       {}
func (OnNewMachine) isTarget()    {}
func (WithUnit) isTarget()        {}
func (WithApplication) isTarget() {}

// String writes the machine's number.
func (t OnMachine) String() string { return string(t.Machine) }

// String writes "new".
func (OnNewMachine) String() string { return "new" }

// String writes the unit's name.
func (t WithUnit) String() string { return t.Unit.String() }

// String writes the application's name.
func (t WithApplication) String() string { return string(t.Application) }

var containerPattern = regexp.MustCompile(`^[a-z]+$`)

// ParsePlacement parses "0", "new", "app/0", "app", each also behind a
// container's type such as "lxd:".
func ParsePlacement(s string) (Placement, error) {
	container, target, nested := strings.Cut(s, ":")
	if !nested {
		container, target = "", s
	} else if !containerPattern.MatchString(container) {
		return Placement{}, placementError(s)
	}
	if target == "new" {
		return Placement{container, OnNewMachine{}}, nil
	}
	if m, err := model.ParseMachineName(target); err == nil {
		return Placement{container, OnMachine{m}}, nil
	}
	if u, err := model.ParseUnitName(target); err == nil {
		return Placement{container, WithUnit{u}}, nil
	}
	if a, err := model.ParseApplicationName(target); err == nil {
		return Placement{container, WithApplication{a}}, nil
	}
	return Placement{}, placementError(s)
}

func placementError(s string) error {
	return fmt.Errorf("placement %q: expected a machine such as 0, new, an application or its unit such as app/0: %w", s, model.ErrInvalid)
}

// String writes the placement as ParsePlacement reads it.
func (p Placement) String() string {
	switch {
	case p.Target == nil:
		return ""
	case p.Container == "":
		return p.Target.String()
	default:
		return p.Container + ":" + p.Target.String()
	}
}

// MarshalText implements encoding.TextMarshaler.
func (p Placement) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (p *Placement) UnmarshalText(b []byte) (err error) {
	*p, err = ParsePlacement(string(b))
	return err
}
