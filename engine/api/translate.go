package api

import (
	"fmt"
	"strings"

	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/bundle"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

// translate turns a change of a bundle into ops and into a line of a plan. It
// is a flat switch over the kinds of change.
func (f *fork) translate(c bundle.Change) ([]state.Op, operator.Difference, error) {
	switch c := c.(type) {
	case bundle.AddMachine:
		op := state.AddMachine{Model: f.model, Base: c.Machine.Base}
		if c.Machine.Constraints != nil {
			op.Constraints = *c.Machine.Constraints
		}
		return one(op, difference("add", "machine", string(c.Machine.Name)))
	case bundle.AddApplication:
		return f.addApplication(c.Application)
	case bundle.SetCharm:
		return f.setCharm(c)
	case bundle.SetConfig:
		d := difference("change", "config", string(c.Application))
		_, d.To, _ = strings.Cut(c.String(), ": ")
		return one(state.SetConfig{Model: f.model, Application: c.Application, Set: c.Set, Unset: c.Reset}, d)
	case bundle.SetConstraints:
		d := difference("change", "constraints", string(c.Application))
		d.From, d.To = c.From.String(), c.To.String()
		return one(state.SetTraits{Model: f.model, Application: c.Application, Constraints: &c.To}, d)
	case bundle.SetTrust:
		d := difference("change", "trust", string(c.Application))
		d.From, d.To = fmt.Sprint(!c.Trust), fmt.Sprint(c.Trust)
		return one(state.SetTraits{Model: f.model, Application: c.Application, Trust: &c.Trust}, d)
	case bundle.SetExposed:
		d := difference("change", "exposure", string(c.Application))
		d.From, d.To = fmt.Sprint(!c.Exposed), fmt.Sprint(c.Exposed)
		return one(state.SetTraits{Model: f.model, Application: c.Application, Exposed: &c.Exposed}, d)
	case bundle.SetAnnotations:
		return nil, operator.Difference{}, nil // labels for people: a model keeps none
	case bundle.Scale:
		return f.scale(c)
	case bundle.AddRelation:
		op, err := f.relation(c.Relation)
		return []state.Op{op}, difference("add", "relation", ends(c.Relation)), err
	case bundle.RemoveRelation:
		id, err := relationBetween(f.state, f.model, c.Relation[0], c.Relation[1])
		return []state.Op{state.RemoveRelation{Model: f.model, Relation: id}}, difference("remove", "relation", ends(c.Relation)), err
	case bundle.RemoveApplication:
		return one(state.RemoveApplication{Model: f.model, Application: c.Application}, difference("remove", "application", string(c.Application)))
	case bundle.RemoveMachine:
		return one(state.RemoveMachine{Model: f.model, Machine: c.Machine}, difference("remove", "machine", string(c.Machine)))
	default:
		return nil, operator.Difference{}, fmt.Errorf("a change of type %T: %w", c, model.ErrInvalid)
	}
}

func one(op state.Op, d operator.Difference) ([]state.Op, operator.Difference, error) {
	return []state.Op{op}, d, nil
}

func difference(action, kind, subject string) operator.Difference {
	return operator.Difference{Action: action, Kind: kind, Subject: subject}
}

func ends(r bundle.Relation) string { return r[0].String() + " " + r[1].String() }

func (f *fork) addApplication(a bundle.Application) ([]state.Op, operator.Difference, error) {
	artifact, err := f.service.charmOf(a.Charm)
	if err != nil {
		return nil, operator.Difference{}, err
	}
	op := state.AddApplication{
		Model: f.model, Name: a.Name, Charm: artifact.Declared.Meta.Name, Hash: artifact.Hash,
		Units: a.UnitCount(), Config: a.Options, Base: a.Base,
	}
	if a.Constraints != nil {
		op.Constraints = *a.Constraints
	}
	op.Trust = a.Trust != nil && *a.Trust
	op.Exposed = a.Expose != nil && *a.Expose
	if op.To, err = targets(a.To); err != nil {
		return nil, operator.Difference{}, err
	}
	d := difference("add", "application", string(a.Name))
	d.To = fmt.Sprintf("charm %s, units %d", a.Charm, op.Units)
	return []state.Op{addCharm(f.model, artifact), op}, d, nil
}

// targets are placements as state knows them.
func targets(list []bundle.Placement) ([]state.Placement, error) {
	var to []state.Placement
	for _, p := range list {
		parsed, err := state.ParsePlacement(p.String())
		if err != nil {
			return nil, err
		}
		to = append(to, parsed)
	}
	return to, nil
}

func (f *fork) setCharm(c bundle.SetCharm) ([]state.Op, operator.Difference, error) {
	artifact, err := f.service.charmOf(c.To)
	if err != nil {
		return nil, operator.Difference{}, err
	}
	row, _ := f.state.Application(state.ApplicationRef{Model: f.model, Application: c.Application})
	if artifact.Hash == row.Hash {
		return nil, operator.Difference{}, nil // a channel or a revision that names the same
	}
	d := difference("change", "charm", string(c.Application))
	d.From, d.To = string(row.Charm)+"@"+row.Hash, string(artifact.Declared.Meta.Name)+"@"+artifact.Hash
	return []state.Op{
		addCharm(f.model, artifact),
		state.SetCharm{Model: f.model, Application: c.Application, Charm: artifact.Declared.Meta.Name, Hash: artifact.Hash},
	}, d, nil
}

func (f *fork) scale(c bundle.Scale) ([]state.Op, operator.Difference, error) {
	d := difference("change", "units", string(c.Application))
	d.From, d.To = fmt.Sprint(c.From), fmt.Sprint(c.To)
	if c.To < c.From {
		return one(f.removeUnits(c.Application, c.From-c.To), d)
	}
	var to []state.Placement
	if len(c.Placements) > c.From {
		var err error
		if to, err = targets(c.Placements[c.From:min(c.To, len(c.Placements))]); err != nil {
			return nil, d, err
		}
	}
	return one(state.AddUnits{Model: f.model, Application: c.Application, Count: c.To - c.From, To: to}, d)
}
