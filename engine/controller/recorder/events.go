package recorder

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/gantry-orchestrator/gantry/engine/consensus"
	"github.com/gantry-orchestrator/gantry/engine/history"
	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/engine/state/tables"
	"github.com/gantry-orchestrator/gantry/model"
)

// unnamed are tables whose keys are kept from the history: hashes of what
// somebody holds, and what requests were answered.
var unnamed = map[tables.Name]bool{"token": true, "answer": true, "agent": true}

// events records committed changes from where the history ends. How far it is
// is written with them, so that whoever leads next goes on from there; what the
// log no longer has by then is recorded as missing.
func (r *Recorder) events(ctx context.Context) {
	cursor, ok := r.cursor(ctx)
	for ok && ctx.Err() == nil {
		changes, next, err := r.Log.Changes(ctx, cursor)
		var rows []history.Row
		switch {
		case errors.Is(err, model.ErrNotFound):
			rows = []history.Row{history.Gap{Source: r.next(), At: r.Now(), What: "events", First: cursor + 1, Last: next}}
		case err != nil:
			return // the term is over
		default:
			st := r.Log.State()
			for _, c := range changes {
				rows = append(rows, rowsOf(st, c)...)
			}
		}
		if len(rows) > 0 {
			if err := r.History.Put(ctx, append(rows, history.Cursor{Name: cursorOf(r.Log.State()), Index: next})...); err != nil {
				return
			}
		}
		cursor = next
	}
}

// cursor waits until the history says how far it goes.
func (r *Recorder) cursor(ctx context.Context) (uint64, bool) {
	for ctx.Err() == nil {
		st := r.Log.State()
		cursor, err := r.History.Cursor(ctx, cursorOf(st))
		if err == nil {
			return min(max(cursor, st.Begins()), st.Index()), true
		}
		wait(ctx, nil, nil, retryEvery)
	}
	return 0, false
}

// cursorOf names how far the changes of a life of the control plane go: each
// has indexes of its own.
func cursorOf(st state.State) string {
	if e := st.Epoch(); !e.IsZero() {
		return fmt.Sprintf("%s of epoch %d", cursorName, e.Number)
	}
	return cursorName
}

// rowsOf are a change's rows: an event for each model that it touched, and its
// operations. Of the controller's own rows only what operators change is told.
func rowsOf(st state.State, c consensus.Change) (rows []history.Row) {
	var order []model.ModelName
	keys := map[model.ModelName][]string{}
	for _, k := range c.Keys {
		if unnamed[k.Table] || k.Model == "" && c.Origin != state.Operator {
			continue
		}
		if keys[k.Model] == nil {
			order = append(order, k.Model)
		}
		keys[k.Model] = append(keys[k.Model], k.String())
		if o, ok := st.Operation(k.Model, k.ID); ok && k.Table == tables.Operation {
			rows = append(rows, operationRow(st.Epoch().Number, o))
		}
	}
	var summary []string
	if rev, ok := st.RevisionAt(c.Revision); ok && rev.CreateIndex == c.Index {
		summary = rev.Summary
	}
	for _, m := range order {
		rows = append(rows, history.Event{
			Epoch: st.Epoch().Number, Index: c.Index, Revision: c.Revision, Model: string(m), At: c.Time, Origin: string(c.Origin),
			Author: c.Author, Reason: c.Reason, Summary: summary, Keys: keys[m],
		})
	}
	return rows
}

func operationRow(epoch uint64, o state.Operation) history.Operation {
	row := history.Operation{
		Model: string(o.Model), ID: o.Run.ID, Epoch: epoch, Index: o.CreateIndex, Asked: o.Asked, Ended: o.Ended, Kind: string(o.Run.Kind),
		Target: o.Run.Unit.String(), Task: o.Run.Action, Author: o.Author, State: "pending",
	}
	if o.Run.Unit.IsZero() {
		row.Target = string(o.Run.Machine)
	}
	if row.Task == "" {
		row.Task = strings.Join(o.Run.Command, " ")
	}
	if o.Result != nil {
		row.State = "done"
		if o.Result.Failed != "" {
			row.State = "failed"
		}
		row.Result, _ = json.Marshal(o.Result) // of text and numbers
	}
	return row
}
