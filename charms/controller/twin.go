package controller

import (
	"fmt"
	"maps"

	"github.com/gantry-orchestrator/gantry/charms/sdk"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// council is the twin's world: which controllers run, and which have a vote.
// The one that gantry up started is not among them; it always runs.
type council struct{ up, votes map[model.UnitName]bool }

// Begin implements sdk.Twin.
func (Charm) Begin(uint64) sdk.World {
	return council{map[model.UnitName]bool{}, map[model.UnitName]bool{}}
}

// Step implements sdk.Twin.
func (Charm) Step(w sdk.World, e sdk.Event) (sdk.World, sdk.Outcome) {
	next := council{maps.Clone(w.(council).up), maps.Clone(w.(council).votes)}
	switch e := e.(type) {
	case sdk.ServiceStarted:
		next.up[e.Unit] = true
	case sdk.ServiceStopped:
		delete(next.up, e.Unit)
	case sdk.TaskRan:
		if e.Undo {
			delete(next.votes, e.Unit)
		} else {
			next.votes[e.Unit] = true
		}
	case sdk.UnitRemoved:
		delete(next.up, e.Unit)
		delete(next.votes, e.Unit)
	}
	return next, sdk.Outcome{}
}

// Answer implements sdk.Twin.
func (Charm) Answer(w sdk.World, unit model.UnitName, probe effect.Probe) (string, bool) {
	c := w.(council)
	switch probe.ID {
	case taking:
		return fmt.Sprint(c.up[unit] && c.votes[unit]), true
	case role:
		switch {
		case !c.up[unit]:
			return "", true
		case c.votes[unit]:
			return "follower", true
		default:
			return "catching up", true
		}
	}
	return "", false
}

// Safe implements sdk.Twin: a majority of those with a vote runs.
func (Charm) Safe(w sdk.World) error {
	c := w.(council)
	running := 1
	for unit := range c.votes {
		if c.up[unit] {
			running++
		}
	}
	if all := 1 + len(c.votes); running <= all/2 {
		return fmt.Errorf("%d of %d controllers run", running, all)
	}
	return nil
}
