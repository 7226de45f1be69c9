// Package placement decides which machine a unit goes to. It is pure: a
// function of the state and of the units that have no machine yet.
package placement

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/model"
)

// Decision is where a unit goes: a machine that is there, a new one, or
// nowhere yet.
type Decision struct {
	Unit    model.UnitName
	Machine model.MachineName // that is there
	New     int               // or which of the plan's new machines, from 1
	Refused string            // or why not, and what would help
}

// spot is a machine that is there, or one of the plan's new ones.
type spot struct {
	machine model.MachineName
	fresh   int
}

// planner places units one after another, each seeing where the last went.
type planner struct {
	state  state.State
	model  model.ModelName
	fresh  int
	taken  map[model.MachineName]bool // vacant machines that get a unit
	placed map[model.UnitName]spot    // by this plan
	todo   map[model.UnitName]bool
}

// Place decides for every living unit of a model that has no machine, in the
// order of their names.
//
// A directive of the operator is followed: a machine, a unit's machine, the
// machines of an application evenly, or a new one. Without a directive a unit
// gets a machine for itself: one that was added and never used, where it
// satisfies the application's constraints, else a new one.
func Place(s state.State, m model.ModelName) []Decision {
	units := s.Unplaced(m)
	p := &planner{state: s, model: m, taken: map[model.MachineName]bool{}, placed: map[model.UnitName]spot{}, todo: map[model.UnitName]bool{}}
	for _, u := range units {
		p.todo[u.Name] = true
		p.taken[u.To.Machine] = true
	}
	decisions := make([]Decision, len(units))
	for progress := true; progress; {
		progress = false
		for i, u := range units {
			if !p.todo[u.Name] {
				continue
			}
			at, refused := p.place(u)
			decisions[i] = Decision{Unit: u.Name, Machine: at.machine, New: at.fresh, Refused: refused}
			if refused == "" {
				p.placed[u.Name], progress = at, true
				delete(p.todo, u.Name)
			}
		}
	}
	return decisions
}

func (p *planner) place(u state.Unit) (spot, string) {
	switch to := u.To; {
	case to.New:
		return p.newSpot(), ""
	case to.Machine != "":
		return p.onMachine(u, to.Machine)
	case !to.Unit.IsZero():
		return p.besideUnit(u, to.Unit)
	case to.Application != "":
		return p.besideApplication(u, to.Application)
	default:
		return p.alone(u), ""
	}
}

func (p *planner) newSpot() spot {
	p.fresh++
	return spot{fresh: p.fresh}
}

func (p *planner) onMachine(u state.Unit, name model.MachineName) (spot, string) {
	m, ok := p.state.Machine(state.MachineRef{Model: p.model, Machine: name})
	if !ok {
		return spot{}, fmt.Sprintf("machine %s does not exist: remove the unit and add it elsewhere", name)
	}
	if m.Life != model.Alive || m.Fenced {
		return spot{}, fmt.Sprintf("machine %s is being removed: remove the unit and add it elsewhere", name)
	}
	a, _ := p.state.Application(u.Ref().Application())
	if want, is := a.Constraints.Arch, architecture(m); want != "" && is != "" && want != is {
		return spot{}, fmt.Sprintf("machine %s is %s and %s wants %s: change its constraints or its placement", name, is, a.Name, want)
	}
	return spot{machine: name}, ""
}

func (p *planner) besideUnit(u state.Unit, name model.UnitName) (spot, string) {
	other, ok := p.state.Unit(state.UnitRef{Model: p.model, Unit: name})
	switch {
	case !ok || other.Life != model.Alive:
		return spot{}, fmt.Sprintf("%v is not there to be placed beside: add it, or place the unit elsewhere", name)
	case other.Machine != "":
		return p.onMachine(u, other.Machine)
	}
	if at, planned := p.placed[name]; planned {
		return at, ""
	}
	return spot{}, fmt.Sprintf("%v, which it is to be placed beside, has no machine", name)
}

// besideApplication takes the machine of the application's on which fewest
// units of u's own are.
func (p *planner) besideApplication(u state.Unit, name model.ApplicationName) (spot, string) {
	own := map[spot]int{}
	for _, mine := range p.state.Units(u.Ref().Application()) {
		if at, ok := p.at(mine); ok {
			own[at]++
		}
	}
	best, found := spot{}, false
	for _, other := range p.state.Units(state.ApplicationRef{Model: p.model, Application: name}) {
		if other.Life != model.Alive {
			continue
		}
		at, ok := p.at(other)
		if !ok && other.Name != u.Name {
			return spot{}, fmt.Sprintf("%v, beside which it may be placed, has no machine", other.Name)
		}
		if at.machine != "" {
			if _, refused := p.onMachine(u, at.machine); refused != "" {
				continue
			}
		}
		if ok && (!found || own[at] < own[best]) {
			best, found = at, true
		}
	}
	if !found {
		return spot{}, fmt.Sprintf("application %s has no unit to be placed beside: add one, or place the unit elsewhere", name)
	}
	return best, ""
}

// at is where a unit is, or is planned to be.
func (p *planner) at(u state.Unit) (spot, bool) {
	if u.Machine != "" {
		return spot{machine: u.Machine}, true
	}
	at, ok := p.placed[u.Name]
	return at, ok
}

func (p *planner) alone(u state.Unit) spot {
	a, _ := p.state.Application(u.Ref().Application())
	for _, m := range p.state.Vacant(p.model) {
		if !p.taken[m.Name] && !m.Fenced && (a.Base == "" || a.Base == m.Base) && Satisfies(m, a.Constraints) {
			p.taken[m.Name] = true
			return spot{machine: m.Name}
		}
	}
	return p.newSpot()
}

// Satisfies reports whether a machine offers what constraints demand: by what
// it turned out to be, else by what it was asked for with.
func Satisfies(m state.Machine, c model.Constraints) bool {
	cores, mem, disk := m.Constraints.Cores, m.Constraints.MemMiB, m.Constraints.Disk
	if m.Hardware != (state.Hardware{}) {
		cores, mem, disk = m.Hardware.Cores, uint64(m.Hardware.MemMiB), uint64(m.Hardware.DiskMiB)
	}
	if c.Arch != "" && c.Arch != architecture(m) {
		return false
	}
	offered := strings.Split(m.Constraints.Tags, ",")
	for tag := range strings.SplitSeq(c.Tags, ",") {
		if tag != "" && !slices.Contains(offered, tag) {
			return false
		}
	}
	return cores >= c.Cores && mem >= c.MemMiB && disk >= c.Disk
}

func architecture(m state.Machine) string {
	if m.Hardware.Arch != "" {
		return m.Hardware.Arch
	}
	return m.Constraints.Arch
}
