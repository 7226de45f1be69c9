package history

import (
	"context"
	"database/sql"
	"slices"
	"strings"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

// pressing orders the levels that lines have.
var pressing = []string{"debug", "info", "warn", "error"}

// Lines returns the newest lines that a query selects, oldest first.
func (h *History) Lines(ctx context.Context, q operator.LineQuery) (operator.PastLines, error) {
	db, err := h.reader()
	if err != nil {
		return operator.PastLines{}, err
	}
	past := operator.HistoryQuery{Model: q.Model, Since: q.Since, Until: q.Until, Limit: q.Limit}
	since, until, limit := bounds(past)
	where, args := []string{"model = ?", "at >= ?", "at <= ?"}, []any{string(q.Model), since, until}
	add := func(condition string, values ...any) {
		where, args = append(where, condition), append(args, values...)
	}
	if len(q.Units)+len(q.Machines) > 0 {
		var of []string
		var names []any
		for _, u := range q.Units {
			of, names = append(of, "unit = ?"), append(names, u.String())
		}
		for _, m := range q.Machines {
			of, names = append(of, "machine = ?"), append(names, m)
		}
		add("("+strings.Join(of, " OR ")+")", names...)
	}
	if at := slices.Index(pressing, strings.ToLower(q.Level)); at > 0 {
		add("lower(level) IN ('" + strings.Join(pressing[at:], "', '") + "')")
	}
	if q.Origin != "" {
		// A service's lines are named as its log file is.
		name := strings.ReplaceAll(q.Origin, "/", "-")
		add("origin IN (?, ?, ?)", q.Origin, name, "service-"+name)
	}
	if q.Match != "" {
		add("instr(text, ?) > 0", q.Match)
	}
	out := operator.PastLines{}
	out.Lines, err = all(ctx, db, "SELECT at, unit, machine, origin, level, text FROM log WHERE "+strings.Join(where, " AND ")+
		" ORDER BY at DESC, n DESC LIMIT ?", append(args, limit), scanLine)
	if err != nil {
		return out, failedTo("read the log", err)
	}
	slices.Reverse(out.Lines)
	gaps, err := h.Gaps(ctx, past)
	for _, g := range gaps {
		if g.What == classNames[lines] {
			out.Gaps = append(out.Gaps, g)
		}
	}
	return out, err
}

func scanLine(rows *sql.Rows) (l effect.LogLine, err error) {
	var at int64
	var unit string
	if err = rows.Scan(&at, &unit, &l.Machine, &l.Source, &l.Level, &l.Text); err != nil {
		return l, err
	}
	l.Time = instant(at)
	if unit != "" {
		l.Unit, err = model.ParseUnitName(unit)
	}
	return l, err
}
