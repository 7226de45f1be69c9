package recorder

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/gantry-orchestrator/gantry/engine/history"
	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

// seen is a model as it was last recorded.
type seen struct {
	parts map[string][]byte
	fares map[subject]fare
}

// subject is what has a status, and fare the status.
type (
	subject struct{ entity, kind string }
	fare    struct{ level, message string }
)

// statuses records how models fare, whenever that changed: looks are as far
// apart as keeps them a small part of the work.
func (r *Recorder) statuses(ctx context.Context) {
	if peopled(r.Log.State()) {
		// Agents turn to a new leader one by one: that it has not heard one yet
		// says nothing of how that one fares.
		wait(ctx, nil, nil, agentsTurn)
	}
	known, dropped, looked := map[model.ModelName]*seen{}, uint64(0), uint64(0)
	for ctx.Err() == nil {
		if now := r.History.Health().Dropped; now != dropped {
			clear(known) // what was offered may not have been written
			dropped, looked = now, 0
		}
		began, changed, st, whole := r.Now(), r.Live.Changed(), r.Log.State(), true
		for _, m := range st.Models() {
			if known[m.Name] == nil {
				if known[m.Name] = r.recall(ctx, m.Name); known[m.Name] == nil {
					whole = false
					break // the history is not there: later
				}
			}
			r.look(st, m.Name, known[m.Name])
		}
		for name, was := range known {
			if _, there := st.Model(name); !there {
				r.record(st, name, was, operator.Status{}, nil)
				delete(known, name)
			}
		}
		if whole && st.Revision() > looked {
			looked = st.Revision()
			r.History.Offer(history.Looked(st.Epoch().Number, st.Index(), looked, r.Now()))
		}
		wait(ctx, nil, nil, max(lookAgain, lookShare*r.Now().Sub(began)))
		wait(ctx, changed, r.Log.Advanced(st.Index()), lookAgain*10)
	}
}

// peopled reports whether there are machines.
func peopled(st state.State) bool {
	return slices.ContainsFunc(st.Models(), func(m state.Model) bool { return len(st.Machines(m.Name)) > 0 })
}

// recall is a model as the history has it; nil where the history cannot say.
func (r *Recorder) recall(ctx context.Context, m model.ModelName) *seen {
	past, err := r.History.StatusAt(ctx, m, operator.Moment{})
	if errors.Is(err, model.ErrNotFound) {
		return &seen{}
	}
	if err != nil {
		return nil
	}
	parts, err := history.Parts(past.Status)
	if err != nil {
		return nil
	}
	return &seen{parts: parts, fares: fares(past.Status)}
}

func (r *Recorder) look(st state.State, m model.ModelName, was *seen) {
	status, err := r.Status(st, m)
	if err != nil {
		return // the model went away meanwhile
	}
	parts, err := history.Parts(status)
	if err != nil {
		r.Logger.Error("a status cannot be recorded", "model", m, "error", err)
		return
	}
	r.record(st, m, was, status, parts)
}

// record offers what differs from what was seen, which it then is.
func (r *Recorder) record(st state.State, m model.ModelName, was *seen, status operator.Status, parts map[string][]byte) {
	now := r.Now()
	part := history.Part{Model: string(m), Epoch: st.Epoch().Number, Index: st.Index(), Revision: st.Revision(), At: now}
	var rows []history.Row
	for _, name := range slices.Sorted(maps.Keys(parts)) {
		if !bytes.Equal(parts[name], was.parts[name]) {
			part.Name, part.Document = name, parts[name]
			rows = append(rows, part)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(was.parts)) {
		if parts[name] == nil {
			part.Name, part.Document = name, nil
			rows = append(rows, part)
		}
	}
	fares := fares(status)
	for _, s := range slices.SortedFunc(maps.Keys(fares), func(a, b subject) int {
		return strings.Compare(a.entity+a.kind, b.entity+b.kind)
	}) {
		if is := fares[s]; is != was.fares[s] {
			rows = append(rows, history.Status{
				Source: r.next(), At: now, Model: string(m), Entity: s.entity, Kind: s.kind, Level: is.level, Message: is.message,
				Index: st.Index(), Revision: st.Revision(),
			})
		}
	}
	r.History.Offer(rows...)
	was.parts, was.fares = parts, fares
}

// fares lists every status of a model: of applications, of units and their
// agents, and of machines.
func fares(s operator.Status) map[subject]fare {
	all := map[subject]fare{}
	put := func(entity, kind string, status model.Status) {
		all[subject{entity, kind}] = fare{status.Level.String(), status.Message}
	}
	for _, a := range s.Applications {
		put("application/"+string(a.Name), "application", a.Status)
		for _, u := range a.Units {
			put("unit/"+u.Name.String(), "workload", u.Status)
			all[subject{"unit/" + u.Name.String(), "agent"}] = agentOf(u)
		}
	}
	for _, m := range s.Machines {
		put("machine/"+string(m.Name), "machine", m.Status)
	}
	return all
}

// agentOf says how a unit's agent fares: idle once it has settled.
func agentOf(u operator.Unit) fare {
	switch {
	case u.Machine == "":
		return fare{"allocating", ""}
	case !u.Reachable:
		return fare{"lost", "its agent is not heard"}
	case len(u.Doing) > 0:
		return fare{"executing", strings.Join(u.Doing, ", ")}
	case u.Settled:
		return fare{"idle", ""}
	}
	return fare{"executing", ""}
}
