package roles

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/gantry-orchestrator/gantry/engine/controller"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// planCharms finds the charms that a controller asks for a plan: built-in ones
// in this binary, uploaded ones in its archives, each unpacked when it is first
// asked for. The user that charms run as must reach their programs, so these
// lie beside the controller's directory, which nobody else may enter.
type planCharms struct {
	archives string
	programs string
}

// openPlanCharms forgets what an earlier run has unpacked.
func openPlanCharms(c controller.Config) (planCharms, error) {
	p := planCharms{archives: filepath.Join(c.Dir, "charms"), programs: c.Dir + "-charms"}
	if err := os.RemoveAll(p.programs); err != nil {
		return p, fmt.Errorf("charms to plan with: %w", err)
	}
	return p, nil
}

// resolve finds the command of a charm's process.
func (p planCharms) resolve(charm effect.Charm) ([]string, error) {
	if builtIn(charm) {
		return program(charm.Name)
	}
	place := filepath.Join(p.programs, filepath.Base(charm.Revision))
	if _, err := os.Stat(place); err == nil {
		return []string{filepath.Join(place, "charm")}, nil
	}
	if err := os.MkdirAll(p.programs, 0o711); err != nil {
		return nil, fmt.Errorf("charm %s to plan with: %w", charm.Name, err)
	}
	scratch, err := os.MkdirTemp(p.programs, ".unpack-*")
	if err != nil {
		return nil, fmt.Errorf("charm %s to plan with: %w", charm.Name, err)
	}
	defer os.RemoveAll(scratch)
	archive := filepath.Join(p.archives, filepath.Base(charm.Revision)+".charm")
	if err := unpack(archive, filepath.Join(scratch, "charm"), place); err != nil {
		return nil, fmt.Errorf("unpack charm %s to plan with: %w", charm.Name, err)
	}
	return []string{filepath.Join(place, "charm")}, nil
}
