package solver

import (
	"fmt"
	"maps"
	"slices"

	"github.com/gantry-orchestrator/gantry/engine/placement"
	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/model"
)

// place puts the units that have no machine where placement says, and asks for
// the machines that this takes.
func (p *problem) place(m model.ModelName) {
	row, ok := p.Model(m)
	if !ok || row.Life != model.Alive {
		return
	}
	fresh := map[int][]model.UnitName{}
	for _, d := range placement.Place(p.State, m) {
		u, _ := p.Unit(state.UnitRef{Model: m, Unit: d.Unit})
		switch {
		case d.Refused != "":
			p.explain(Blocked{
				Subject: d.Unit.String(), Holder: "placement " + u.To.String(), Reason: d.Refused,
				Command: fmt.Sprintf("gantry remove-unit %v", d.Unit), Overdue: true,
			})
		case d.New > 0:
			fresh[d.New] = append(fresh[d.New], d.Unit)
		default:
			p.emit(u.Cause, state.AssignUnit{Model: m, Unit: d.Unit, Machine: d.Machine},
				u.Ref().Key(), state.MachineRef{Model: m, Machine: d.Machine}.Key())
		}
	}
	for _, n := range slices.Sorted(maps.Keys(fresh)) {
		p.request(m, fresh[n])
	}
}

// request asks for a machine that satisfies all units that go to it, with the
// packages of their charms and of the subordinates that will follow them.
func (p *problem) request(m model.ModelName, units []model.UnitName) {
	op := state.RequestMachine{Model: m, Units: units}
	reads := make([]state.Key, 0, 2*len(units))
	packages := map[string]string{}
	cause := uint64(0)
	for _, name := range units {
		ref := state.UnitRef{Model: m, Unit: name}
		u, _ := p.Unit(ref)
		a, _ := p.Application(ref.Application())
		cause = max(cause, u.Cause)
		reads = append(reads, ref.Key(), a.Ref().Key())
		op.Constraints = stricter(op.Constraints, a.Constraints)
		if op.Base == "" {
			op.Base = a.Base
		}
		p.packages(a, packages)
		for _, r := range p.Relations(a.Ref()) {
			_, remote, _ := r.End(a.Name)
			sub, ok := p.Application(state.ApplicationRef{Model: m, Application: remote.Application})
			if ok && r.Scope == model.ContainerScope && sub.Subordinate {
				p.packages(sub, packages)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(packages)) {
		if version := packages[name]; version != "" {
			name += "=" + version
		}
		op.Packages = append(op.Packages, name)
	}
	p.emit(cause, op, reads...)
}

// packages adds those of a charm, each in the version that the application's
// members have, where one is recorded: a layer that is built later would take
// what the archive offers by then.
func (p *problem) packages(a state.Application, into map[string]string) {
	c, _ := p.CharmOf(a)
	for _, name := range c.Declared.Packages {
		if into[name] == "" {
			into[name] = a.Versions[name]
		}
	}
}

// stricter demands what either does.
func stricter(a, b model.Constraints) model.Constraints {
	a.Cores, a.MemMiB, a.Disk = max(a.Cores, b.Cores), max(a.MemMiB, b.MemMiB), max(a.Disk, b.Disk)
	if a.Arch == "" {
		a.Arch = b.Arch
	}
	if a.Tags == "" {
		a.Tags = b.Tags
	} else if b.Tags != "" && b.Tags != a.Tags {
		a.Tags += "," + b.Tags
	}
	return a
}
