package state

import (
	"fmt"

	"github.com/gantry-orchestrator/gantry/model"
)

// Placement says where an operator wants a unit: at most one field is set,
// and none leaves it to the solver. Its text is that of `--to`: "3", "new",
// "postgresql" or "postgresql/0".
type Placement struct {
	New         bool                  `json:"new,omitempty"` // a machine of its own
	Machine     model.MachineName     `json:"machine,omitempty"`
	Application model.ApplicationName `json:"application,omitempty"` // beside its units, evenly
	Unit        model.UnitName        `json:"unit,omitzero"`
}

// ParsePlacement parses a directive of `--to` or of a bundle.
func ParsePlacement(s string) (Placement, error) {
	if s == "" {
		return Placement{}, nil
	}
	if s == "new" {
		return Placement{New: true}, nil
	}
	if m, err := model.ParseMachineName(s); err == nil {
		return Placement{Machine: m}, nil
	}
	if u, err := model.ParseUnitName(s); err == nil {
		return Placement{Unit: u}, nil
	}
	if a, err := model.ParseApplicationName(s); err == nil {
		return Placement{Application: a}, nil
	}
	return Placement{}, fmt.Errorf("placement %q: expected a machine such as 0, new, an application or a unit: %w", s, model.ErrInvalid)
}

// String writes the placement as ParsePlacement reads it.
func (p Placement) String() string {
	switch {
	case p.New:
		return "new"
	case p.Machine != "":
		return string(p.Machine)
	case !p.Unit.IsZero():
		return p.Unit.String()
	default:
		return string(p.Application)
	}
}
