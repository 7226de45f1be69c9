package api

import (
	"context"

	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/bundle"
)

// ExportBundle returns the bundle that would make the model.
func (s *Service) ExportBundle(ctx context.Context, m model.ModelName) ([]byte, error) {
	if _, err := caller(ctx, Read, m); err != nil {
		return nil, err
	}
	st, err := s.log.Read(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := modelOf(st, m); err != nil {
		return nil, err
	}
	return bundle.Encode(export(st, m)), nil
}

// export is a model as a bundle declares it: what is alive, the machines that
// an operator asked for, and no peer relations, which follow from charms.
func export(st state.State, m model.ModelName) *bundle.Bundle {
	b := &bundle.Bundle{}
	manual := map[model.MachineName]bool{}
	for _, machine := range st.Machines(m) {
		if !machine.Manual || machine.Life != model.Alive {
			continue
		}
		manual[machine.Name] = true
		row := bundle.Machine{Name: machine.Name, Base: machine.Base}
		if machine.Constraints != (model.Constraints{}) {
			row.Constraints = &machine.Constraints
		}
		b.Machines = append(b.Machines, row)
	}
	for _, a := range st.Applications(m) {
		if a.Life == model.Alive {
			b.Applications = append(b.Applications, exportApplication(st, a, manual))
		}
	}
	for _, r := range st.ModelRelations(m) {
		if !r.Peer() && r.Life == model.Alive {
			b.Relations = append(b.Relations, bundle.Relation{r.Ends[0].Ref(), r.Ends[1].Ref()})
		}
	}
	return b
}

func exportApplication(st state.State, a state.Application, manual map[model.MachineName]bool) bundle.Application {
	out := bundle.Application{
		Name: a.Name, Charm: bundle.CharmRef{Name: a.Charm}, Base: a.Base, Options: a.Config,
	}
	if !a.Subordinate {
		out.Units = &a.Planned
		for _, u := range st.Units(a.Ref()) {
			if u.Life == model.Alive && manual[u.Machine] {
				out.To = append(out.To, bundle.Placement{Target: bundle.OnMachine{Machine: u.Machine}})
			}
		}
	}
	if a.Constraints != (model.Constraints{}) {
		out.Constraints = &a.Constraints
	}
	if a.Trust {
		out.Trust = &a.Trust
	}
	if a.Exposed {
		out.Expose = &a.Exposed
	}
	return out
}
