package effect

import (
	"errors"
	"fmt"
	"path"
	"slices"

	"github.com/gantry-orchestrator/gantry/model"
)

// Validate reports everything in a Desired that no agent could carry out: IDs
// that are missing, taken twice or named without being there, circles, paths
// that are not absolute, tasks whose interruption could not be recovered from.
func (d Desired) Validate() error {
	v := &validator{ids: map[ID]bool{}, probes: map[ProbeID]bool{}}
	all := d.Effects()
	for _, e := range all {
		v.declare(e)
	}
	for _, p := range d.Probes {
		if p.ID == "" || v.probes[p.ID] {
			v.complain("probe %q: its id is missing or taken", p.ID)
		}
		v.probes[p.ID] = true
	}
	for _, e := range all {
		v.references(e)
	}
	for i := range d.Bags {
		v.references(Effect{Bag: &d.Bags[i]})
	}
	if id, circle := circular(all); circle {
		v.complain("%s: it needs itself, by way of others", id)
	}
	return errors.Join(v.errs...)
}

type validator struct {
	ids    map[ID]bool
	probes map[ProbeID]bool
	errs   []error
}

func (v *validator) complain(format string, args ...any) {
	v.errs = append(v.errs, fmt.Errorf(format+": %w", append(args, model.ErrInvalid)...))
}

func (v *validator) declare(e Effect) {
	id := e.ID()
	switch {
	case id == "":
		v.complain("%s %q: it has no id", e.kind(), e.place())
	case v.ids[id]:
		v.complain("%s: two effects have this id", id)
	case e.Software != nil && e.Software.fault() != "":
		v.complain("%s: %s", id, e.Software.fault())
	case e.Software == nil && e.place() != "" && !path.IsAbs(e.place()):
		v.complain("%s: path %q is not absolute; build it from Input.Host", id, e.place())
	case (e.kind() == fileKind || e.kind() == volumeKind) && e.place() == "":
		v.complain("%s: it has no path", id)
	case e.Service != nil && len(e.Service.Command) == 0:
		v.complain("%s: it has no command", id)
	case e.Volume != nil && e.Volume.Incarnation == "":
		v.complain("%s: it has no incarnation", id)
	}
	v.ids[id] = true
}

func (v *validator) references(e Effect) {
	for _, id := range e.needs() {
		if !v.ids[id] {
			v.complain("%s: it names %q, which is not desired", e.ID(), id)
		}
	}
	if s := e.Service; s != nil && s.Health != "" && !v.probes[s.Health] {
		v.complain("%s: its health is probe %q, which is not desired", s.ID, s.Health)
	}
	if e.Task != nil {
		v.task(*e.Task)
	}
}

func (v *validator) task(t Task) {
	switch {
	case t.Scope != UnitScope && t.Scope != MachineScope && t.Scope != ApplicationScope:
		v.complain("%s: scope %q: expected unit, machine or application", t.ID, t.Scope)
	case (len(t.Run.Command) == 0) == (t.Run.Call == ""):
		v.complain("%s: it runs either a command or a call", t.ID)
	case len(t.Yields) == 0 && !t.Idempotent:
		v.complain("%s: with neither Yields nor Idempotent, nobody could tell what an interrupted run came to", t.ID)
	}
	for _, probe := range slices.Concat(t.Needs, probesOf(t)) {
		if !v.probes[probe] {
			v.complain("%s: it names probe %q, which is not desired", t.ID, probe)
		}
	}
}

func probesOf(t Task) []ProbeID {
	var ids []ProbeID
	for id := range t.Yields {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// circular finds an effect that needs itself.
func circular(all []Effect) (ID, bool) {
	_, byID := arrange(all, applied{})
	const open, closed = 1, 2
	colour := map[ID]int{}
	var visit func(ID) (ID, bool)
	visit = func(id ID) (ID, bool) {
		if colour[id] == open {
			return id, true
		}
		if colour[id] == closed {
			return "", false
		}
		colour[id] = open
		for _, need := range byID[id].needs {
			if at, circle := visit(need); circle {
				return at, true
			}
		}
		colour[id] = closed
		return "", false
	}
	for _, e := range all {
		if at, circle := visit(e.ID()); circle {
			return at, true
		}
	}
	return "", false
}
