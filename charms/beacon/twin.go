package beacon

import (
	"maps"

	"github.com/gantry-orchestrator/gantry/charms/sdk"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// sky is the twin's world: which beacons are lit.
type sky map[model.UnitName]bool

// Begin implements sdk.Twin.
func (Charm) Begin(uint64) sdk.World { return sky{} }

// Step implements sdk.Twin.
func (Charm) Step(w sdk.World, e sdk.Event) (sdk.World, sdk.Outcome) {
	next := maps.Clone(w.(sky))
	switch e := e.(type) {
	case sdk.ServiceStarted:
		next[e.Unit] = true
	case sdk.ServiceStopped:
		delete(next, e.Unit)
	case sdk.UnitRemoved:
		delete(next, e.Unit)
	}
	return next, sdk.Outcome{}
}

// Answer implements sdk.Twin: a beacon asks nothing of its host.
func (Charm) Answer(sdk.World, model.UnitName, effect.Probe) (string, bool) { return "", false }

// Safe implements sdk.Twin: beacons promise nothing to each other.
func (Charm) Safe(sdk.World) error { return nil }
