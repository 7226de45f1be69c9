package api

import (
	"context"
	"fmt"

	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

// Status returns a model at a glance.
func (s *Service) Status(ctx context.Context, m model.ModelName) (operator.Status, error) {
	if _, err := caller(ctx, Read, m); err != nil {
		return operator.Status{}, err
	}
	st, err := s.log.Read(ctx)
	if err != nil {
		return operator.Status{}, err
	}
	return s.status(st, m)
}

func (s *Service) status(st state.State, m model.ModelName) (operator.Status, error) {
	row, err := modelOf(st, m)
	if err != nil {
		return operator.Status{}, err
	}
	progress := s.c.Live.Convergence(st, m, 0)
	out := operator.Status{
		Model: operator.ModelStatus{
			Name: m, Life: row.Life, Provider: row.Provider, Index: st.Index(), Revision: st.Revision(), Now: s.c.Now(),
			Converged: progress.Converged, Waiting: progress.Waiting, Blocked: progress.Blocked,
		},
		Applications: []operator.Application{},
		Machines:     s.machines(st, m),
		Relations:    []operator.Relation{},
	}
	if m == state.ControllerModel {
		out.Model.Degraded = s.degraded()
	}
	for _, l := range st.Leftovers(m) {
		for _, item := range l.Items {
			out.Model.Leftovers = append(out.Model.Leftovers, fmt.Sprintf("machine %s: %v left %s", l.Machine, l.Unit, item))
		}
	}
	for _, a := range st.Applications(m) {
		out.Applications = append(out.Applications, s.application(st, a))
	}
	for _, r := range st.ModelRelations(m) {
		out.Relations = append(out.Relations, relation(r))
	}
	return out, nil
}

func (s *Service) application(st state.State, a state.Application) operator.Application {
	out := operator.Application{
		Name: a.Name, Charm: a.Charm, Revision: a.Hash, Life: a.Life, Scale: a.Planned,
		Subordinate: a.Subordinate, Exposed: a.Exposed, Trusted: a.Trust,
	}
	principals := map[model.ApplicationName]bool{}
	for _, u := range st.Units(a.Ref()) {
		if u.Life == model.Dead {
			continue
		}
		unit := s.unit(st, u)
		out.Units = append(out.Units, unit)
		out.Status = model.Worse(out.Status, unit.Status)
		if out.Version == "" {
			out.Version = unit.Version
		}
		if p := u.Principal.Application; p != "" && !principals[p] {
			principals[p] = true
			out.Principals = append(out.Principals, p)
		}
	}
	if o, open := st.OpenOrder(a.Ref()); open {
		opened := order(o)
		out.Order = &opened
	}
	return out
}

func (s *Service) unit(st state.State, u state.Unit) operator.Unit {
	ref := state.MachineRef{Model: u.Model, Machine: u.Machine}
	machine, placed := st.Machine(ref)
	lease, led := st.Lease(u.Ref().Application())
	out := operator.Unit{
		Name: u.Name, Life: u.Life, Machine: u.Machine, Address: machine.Address, Principal: u.Principal,
		Leader: led && lease.Holder == u.Name,
	}
	if placed {
		out.Reachable = s.c.Live.Machine(ref).Reachable
	}
	report, heard := s.c.Live.Report(u.Ref())
	switch {
	case heard:
		out.Status, out.Version, out.Ports, out.Doing, out.Holds = report.Status, report.Version, report.Ports, report.Doing, report.Holds
		out.Settled = s.c.Live.Settled(st, u.Ref())
	case !placed:
		out.Status = model.Status{Level: model.Waiting, Message: "for a machine"}
	case machine.State == state.MachineRequested:
		out.Status = model.Status{Level: model.Waiting, Message: "for machine " + string(machine.Name)}
	default:
		out.Status = model.Status{Level: model.Unknown, Message: "no report from its agent yet"}
	}
	return out
}

func relation(r state.Relation) operator.Relation {
	out := operator.Relation{ID: r.ID, Interface: r.Interface, Scope: r.Scope, Life: r.Life}
	for _, e := range r.Ends {
		out.Ends = append(out.Ends, operator.RelationEnd{Application: e.Application, Endpoint: e.Endpoint, Role: e.Role})
	}
	return out
}
