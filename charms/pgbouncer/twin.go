package pgbouncer

import (
	"maps"

	"github.com/gantry-orchestrator/gantry/charms/sdk"
	"github.com/gantry-orchestrator/gantry/charms/tlscertificates/requirer"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// process is a service of a unit.
type process struct {
	unit    model.UnitName
	service effect.ID
}

// world is the twin's: which processes run. What runs listens.
type world map[process]bool

// Begin implements sdk.Twin.
func (Charm) Begin(uint64) sdk.World { return world{} }

// Step implements sdk.Twin.
func (Charm) Step(w sdk.World, e sdk.Event) (sdk.World, sdk.Outcome) {
	next := maps.Clone(w.(world))
	switch e := e.(type) {
	case sdk.ServiceStarted:
		next[process{e.Unit, e.Service.ID}] = true
	case sdk.ServiceStopped:
		delete(next, process{e.Unit, e.Service})
	case sdk.TaskRan:
		out, _ := requirer.Simulate(e.Task.Run)
		return next, sdk.Outcome{Output: out}
	}
	return next, sdk.Outcome{}
}

// Answer implements sdk.Twin.
func (Charm) Answer(w sdk.World, unit model.UnitName, p effect.Probe) (string, bool) {
	service, is := map[effect.ProbeID]effect.ID{poolProbe: poolID, proxyProbe: proxyID}[p.ID]
	return "true", is && w.(world)[process{unit, service}]
}

// Safe implements sdk.Twin: a pool keeps nothing that could be lost.
func (Charm) Safe(sdk.World) error { return nil }
