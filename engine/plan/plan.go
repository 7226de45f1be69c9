package plan

import (
	"context"
	"fmt"

	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

// Reconciler asks charms.
type Reconciler interface {
	Reconcile(ctx context.Context, c effect.Charm, in effect.Input) (effect.Desired, error)
}

// Workload simulates the software of one application, all units of it.
type Workload interface {
	// Do tells of a step of a unit at an address, whose files on its machine
	// are these. A task that fails says why.
	Do(unit model.UnitName, address string, s effect.Step, files []effect.File, incarnation string) (output, failed string)
	// Read is what a probe of a unit reads, and false where it is unknown.
	Read(unit model.UnitName, probe effect.Probe) (string, bool)
}

// Config is what plans are made with.
type Config struct {
	Charms Reconciler
	// Report is what a unit's agent last said.
	Report func(state.UnitRef) (effect.Report, bool)
	// Host is where things of a unit are on its machine.
	Host func(model.UnitName, model.CharmName) effect.Host
	// Workload begins the workload of an application of a charm, and is false
	// for a charm without a twin. It may be nil.
	Workload func(model.CharmName) (Workload, bool)
}

// maxRounds bounds how long a change is followed through.
const maxRounds = 400

// Plan says what the change from before to after would do to a model. The two
// states differ by the change alone. Units are in the order in which they are
// first disrupted, and after them the others by name.
func (c Config) Plan(ctx context.Context, m model.ModelName, before, after state.State) (operator.Planned, error) {
	f := newFork(c, m, before, after)
	for range maxRounds {
		f.solve()
		moved, err := f.carryOut(ctx)
		if err != nil {
			return operator.Planned{}, fmt.Errorf("plan for model %s: %w", m, err)
		}
		if !moved && f.dirty.Empty() {
			break
		}
	}
	return operator.Planned{Revision: before.Revision(), Placements: f.placements(), Units: f.lines()}, nil
}
