package sim

import (
	"fmt"

	"github.com/gantry-orchestrator/gantry/charms/sdk"
	"github.com/gantry-orchestrator/gantry/engine/solver"
	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/charm"
)

func appRef(name model.ApplicationName) state.ApplicationRef {
	return state.ApplicationRef{Model: Model, Application: name}
}

func (s *simulation) builtin(name model.CharmName) (sdk.Builtin, bool) {
	for _, b := range s.Charms {
		if b.Name == name {
			return b, true
		}
	}
	return sdk.Builtin{}, false
}

// deploy makes the model and all that the bundle declares.
func (s *simulation) deploy(state.State) ([]state.Op, error) {
	ops := []state.Op{state.AddModel{Model: Model, UUID: "5e1f0000-0000-4000-8000-000000000000", CIDR: "10.0.0.0/16"}}
	for _, b := range s.Charms {
		declared, err := charm.Read(string(b.Name), b.Files)
		if err != nil {
			return nil, fmt.Errorf("charm %s: %w", b.Name, err)
		}
		ops = append(ops, state.AddCharm{Model: Model, Hash: hashOfCharm(b.Name), Declared: *declared})
	}
	for _, a := range s.Bundle.Applications {
		name := model.CharmName(a.Charm.Name)
		op := state.AddApplication{
			Model: Model, Name: a.Name, Charm: name, Hash: hashOfCharm(name), Units: a.UnitCount(), Config: a.Options,
		}
		for _, p := range a.To {
			to, err := state.ParsePlacement(p.String())
			if err != nil {
				return nil, fmt.Errorf("%s: %w", a.Name, err)
			}
			op.To = append(op.To, to)
		}
		ops = append(ops, op)
	}
	// Relations are matched in the state that the rest makes.
	fork, _, err := state.Empty().Apply(state.Command{Version: state.FormatVersion, Origin: state.Operator, Ops: ops})
	if err != nil {
		return nil, err
	}
	for _, r := range s.Bundle.Relations {
		a, b, err := solver.MatchIn(fork, Model, r[0], r[1])
		if err != nil {
			return nil, err
		}
		op := state.AddRelation{Model: Model, A: a, B: b}
		if fork, _, err = fork.Apply(state.Command{Version: state.FormatVersion, Origin: state.Operator, Ops: []state.Op{op}}); err != nil {
			return nil, err
		}
		ops = append(ops, op)
	}
	return ops, nil
}

// hashOfCharm stands for the hash of a charm's artifact.
func hashOfCharm(name model.CharmName) string { return "built-in-" + string(name) }
