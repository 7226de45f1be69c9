package history

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

const (
	defaultLimit = 200
	mostLimit    = 20_000
)

// forever is the end of all times.
const forever = int64(1) << 62

// bounds are what every read of a model takes.
func bounds(q operator.HistoryQuery) (since, until int64, limit int) {
	until = forever
	if !q.Until.IsZero() {
		until = micros(q.Until)
	}
	limit = q.Limit
	if limit <= 0 {
		limit = defaultLimit
	}
	return micros(q.Since), until, min(limit, mostLimit)
}

// entityPattern matches an entity, and for an application its units too.
func entityPattern(entity string) (exact, like string) {
	if app, ok := strings.CutPrefix(entity, "application/"); ok {
		return entity, "unit/" + app + "/*"
	}
	return entity, entity
}

// Events returns the newest changes of a model that a query selects, oldest
// first, and between them what is missing.
func (h *History) Events(ctx context.Context, q operator.HistoryQuery) ([]operator.PastEvent, error) {
	db, err := h.reader()
	if err != nil {
		return nil, err
	}
	since, until, limit := bounds(q)
	where, args := "model = ? AND at >= ? AND at <= ? AND idx > ?", []any{string(q.Model), since, until, int64(q.After)}
	if q.Entity != "" {
		exact, like := entityPattern(q.Entity)
		where += " AND (epoch, idx) IN (SELECT epoch, idx FROM event_key WHERE model = ? AND (entity = ? OR entity GLOB ?))"
		args = append(args, string(q.Model), exact, like)
	}
	order := "DESC"
	if q.After > 0 {
		order = "ASC" // who follows wants the next, not the newest
	}
	list, err := all(ctx, db, "SELECT idx, at, revision, origin, author, reason, summary, keys FROM event WHERE "+where+
		" ORDER BY epoch "+order+", idx "+order+" LIMIT ?", append(args, limit), scanEvent)
	if err != nil {
		return nil, failedTo("read events", err)
	}
	gaps, err := h.Gaps(ctx, q)
	if err != nil {
		return nil, err
	}
	if q.After == 0 {
		slices.Reverse(list)
	}
	for _, g := range gaps {
		if g.What != "events" || g.Last <= q.After {
			continue
		}
		at := slices.IndexFunc(list, func(e operator.PastEvent) bool { return e.Time.After(g.Time) && e.Gap == nil })
		if at < 0 {
			at = len(list)
		}
		list = slices.Insert(list, at, operator.PastEvent{Event: operator.Event{Index: g.Last}, Time: g.Time, Gap: &g})
	}
	return list, nil
}

func scanEvent(rows *sql.Rows) (e operator.PastEvent, err error) {
	var index, at, revision int64
	var summary, keys string
	err = rows.Scan(&index, &at, &revision, &e.Origin, &e.Author, &e.Reason, &summary, &keys)
	e.Index, e.Revision, e.Time = uint64(index), uint64(revision), instant(at)
	e.Summary, e.Keys = split(summary), split(keys)
	return e, err
}

func split(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, "\n")
}

// Statuses returns the newest entries of how an entity fared, oldest first.
func (h *History) Statuses(ctx context.Context, q operator.HistoryQuery) ([]operator.StatusEntry, error) {
	db, err := h.reader()
	if err != nil {
		return nil, err
	}
	since, until, limit := bounds(q)
	where, args := "model = ? AND at >= ? AND at <= ?", []any{string(q.Model), since, until}
	if q.Entity != "" {
		exact, like := entityPattern(q.Entity)
		where += " AND (entity = ? OR entity GLOB ?)"
		args = append(args, exact, like)
	}
	list, err := all(ctx, db, "SELECT at, entity, kind, level, message, idx FROM status WHERE "+where+" ORDER BY at DESC, n DESC LIMIT ?",
		append(args, limit), func(rows *sql.Rows) (e operator.StatusEntry, err error) {
			var at, index int64
			err = rows.Scan(&at, &e.Entity, &e.Kind, &e.Status, &e.Message, &index)
			e.Time, e.Index = instant(at), uint64(index)
			return e, err
		})
	slices.Reverse(list)
	return list, failedTo("read the status log", err)
}

// operations returns the newest runs of actions and commands, oldest first.
func (h *History) operations(ctx context.Context, q operator.HistoryQuery) ([]operator.Entry, error) {
	db, err := h.reader()
	if err != nil {
		return nil, err
	}
	since, until, limit := bounds(q)
	where, args := "model = ? AND at >= ? AND at <= ?", []any{string(q.Model), since, until}
	if q.Entity != "" {
		_, name, _ := strings.Cut(q.Entity, "/")
		where += " AND (target = ? OR target GLOB ?)"
		args = append(args, name, name+"/*")
	}
	list, err := all(ctx, db, "SELECT id, idx, at, target, task, author, state FROM operation WHERE "+where+" ORDER BY at DESC LIMIT ?",
		append(args, limit), func(rows *sql.Rows) (e operator.Entry, err error) {
			var id, target, task, state string
			var index, at int64
			err = rows.Scan(&id, &index, &at, &target, &task, &e.By, &state)
			e.Kind, e.Time, e.Index, e.Entity, e.What = "operation", instant(at), uint64(index), target, fmt.Sprintf("operation %s: %s: %s", id, task, state)
			return e, err
		})
	return list, failedTo("read operations", err)
}

// Past returns what happened to a model or to one of its entities, oldest
// first: changes, how things fared and operations.
func (h *History) Past(ctx context.Context, q operator.HistoryQuery) (operator.Past, error) {
	events, err := h.Events(ctx, q)
	if err != nil {
		return operator.Past{}, err
	}
	statuses, err := h.Statuses(ctx, q)
	if err != nil {
		return operator.Past{}, err
	}
	list, err := h.operations(ctx, q)
	if err != nil {
		return operator.Past{}, err
	}
	past := operator.Past{Health: h.Lag()}
	for _, e := range events {
		if e.Gap != nil {
			past.Gaps = append(past.Gaps, *e.Gap)
			continue
		}
		if q.Entity == "" && e.Origin != "operator" {
			continue // of a whole model, what its operators did says enough
		}
		list = append(list, operator.Entry{
			Time: e.Time, Kind: "change", Index: e.Index, Revision: e.Revision, Entity: q.Entity, By: e.Author, Reason: e.Reason, What: what(e),
		})
	}
	for _, s := range statuses {
		text := s.Kind + " " + s.Status
		if s.Message != "" {
			text += ": " + s.Message
		}
		list = append(list, operator.Entry{Time: s.Time, Kind: "status", Index: s.Index, Entity: s.Entity, What: text})
	}
	slices.SortStableFunc(list, func(a, b operator.Entry) int { return a.Time.Compare(b.Time) })
	_, _, limit := bounds(q)
	past.Entries = list[max(0, len(list)-limit):]
	if past.Entries == nil {
		past.Entries = []operator.Entry{}
	}
	return past, nil
}

// what says what an event did: its own words, or what it touched.
func what(e operator.PastEvent) string {
	if len(e.Summary) > 0 {
		return strings.Join(e.Summary, "; ")
	}
	const few = 4
	if len(e.Keys) > few {
		return fmt.Sprintf("%s and %d more", strings.Join(e.Keys[:few], " "), len(e.Keys)-few)
	}
	return strings.Join(e.Keys, " ")
}

// Gaps returns what the history is missing in the time of a query.
func (h *History) Gaps(ctx context.Context, q operator.HistoryQuery) ([]operator.Gap, error) {
	db, err := h.reader()
	if err != nil {
		return nil, err
	}
	since, until, limit := bounds(q)
	list, err := all(ctx, db, "SELECT at, what, first, last, lost FROM gap WHERE at >= ? AND at <= ? ORDER BY at LIMIT ?",
		[]any{since, until, limit}, func(rows *sql.Rows) (g operator.Gap, err error) {
			var at, first, last, lost int64
			err = rows.Scan(&at, &g.What, &first, &last, &lost)
			g.Time, g.First, g.Last, g.Lost = instant(at), uint64(first), uint64(last), uint64(lost)
			return g, err
		})
	return list, failedTo("read gaps", err)
}

// Lag is Health as an operator sees it.
func (h *History) Lag() operator.HistoryHealth {
	health := h.Health()
	out := operator.HistoryHealth{Backend: health.Backend, Waiting: health.Waiting, Dropped: health.Dropped, Since: health.Since}
	if health.Trouble != nil {
		out.Trouble = health.Trouble.Error()
	}
	return out
}

// Cursor is how far a name has been recorded; 0 for one that never was.
func (h *History) Cursor(ctx context.Context, name string) (uint64, error) {
	db, err := h.reader()
	if err != nil {
		return 0, err
	}
	var index int64
	err = db.QueryRowContext(ctx, "SELECT coalesce(max(idx), 0) FROM cursor WHERE name = ?", name).Scan(&index)
	return uint64(index), failedTo("read how far the history goes", err)
}

// all reads every row of a query.
func all[T any](ctx context.Context, db *sql.DB, query string, args []any, scan func(*sql.Rows) (T, error)) ([]T, error) {
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	list := []T{}
	for rows.Next() {
		one, err := scan(rows)
		if err != nil {
			return nil, err
		}
		list = append(list, one)
	}
	return list, rows.Err()
}

// failedTo makes an error of the database one that may be tried again.
func failedTo(do string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w: the history may be electing a leader, try again: %w", do, err, model.ErrUnavailable)
}
