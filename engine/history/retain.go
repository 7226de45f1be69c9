package history

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

const (
	retainEvery  = time.Minute
	deleteAtOnce = 2000 // rows of one transaction
)

// DefaultRetention is what holds until an operator says otherwise. dqlite has
// the whole database in memory on each member: Size is what bounds that.
var DefaultRetention = operator.Retention{
	Events: 90 * 24 * time.Hour, Status: 30 * 24 * time.Hour, Lines: 7 * 24 * time.Hour, Audit: 365 * 24 * time.Hour, SizeMiB: 256,
}

// aged lists what is let go of by age. The newest row of each part of a status
// stays, and with it all that status --at needs since the age.
var aged = []struct {
	table string
	age   func(operator.Retention) time.Duration
	which string // rows that are older than ?1
}{
	{"log", lineAge, "SELECT rowid FROM log WHERE at < ?1 ORDER BY at LIMIT ?2"},
	{"status", statusAge, "SELECT rowid FROM status WHERE at < ?1 ORDER BY at LIMIT ?2"},
	{"audit", auditAge, "SELECT rowid FROM audit WHERE at < ?1 ORDER BY at LIMIT ?2"},
}

func lineAge(r operator.Retention) time.Duration   { return r.Lines }
func statusAge(r operator.Retention) time.Duration { return r.Status }
func eventAge(r operator.Retention) time.Duration  { return r.Events }
func auditAge(r operator.Retention) time.Duration  { return r.Audit }

// keyless are let go of by their own keys: their tables have no rowid.
var keyless = []struct {
	table string
	age   func(operator.Retention) time.Duration
	where string
}{
	{"event_key", eventAge, "(model, entity, epoch, idx) IN (SELECT k.model, k.entity, k.epoch, k.idx FROM event_key k JOIN event e ON e.epoch = k.epoch AND e.idx = k.idx AND e.model = k.model WHERE e.at < ?1 LIMIT ?2)"},
	{"event", eventAge, "(model, epoch, idx) IN (SELECT e.model, e.epoch, e.idx FROM event e WHERE e.at < ?1 AND NOT EXISTS (SELECT 1 FROM event_key k WHERE k.epoch = e.epoch AND k.idx = e.idx AND k.model = e.model) LIMIT ?2)"},
	{"operation", eventAge, "(model, id, epoch, idx) IN (SELECT model, id, epoch, idx FROM operation WHERE at < ?1 AND ended > 0 LIMIT ?2)"},
	{"gap", eventAge, "(source, n) IN (SELECT source, n FROM gap WHERE at < ?1 LIMIT ?2)"},
	{
		"part", statusAge,
		`(model, part, epoch, idx, at) IN (SELECT p.model, p.part, p.epoch, p.idx, p.at FROM part p WHERE p.at < ?1 AND
			(p.doc = '' AND NOT EXISTS (SELECT 1 FROM part o WHERE o.model = p.model AND o.part = p.part AND o.at < p.at) OR EXISTS (SELECT 1 FROM part q WHERE q.model = p.model AND q.part = p.part AND (q.epoch, q.idx) >= (p.epoch, p.idx) AND q.at > p.at AND q.at <= ?1)) LIMIT ?2)`,
	},
}

// retain lets go of what is too old, and of the oldest of what is too much.
// What fails is tried again the next time.
func (h *History) retain(ctx context.Context, db *sql.DB, now time.Time) {
	if err := h.retainAll(ctx, db, now); err != nil && ctx.Err() == nil {
		h.config.Log.Warn("the history keeps more than it should", "error", err)
	}
}

func (h *History) retainAll(ctx context.Context, db *sql.DB, now time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, writeLimit)
	defer cancel()
	r, err := retention(ctx, db)
	if err != nil {
		return err
	}
	for _, a := range aged {
		if err := deleteOld(ctx, db, "DELETE FROM "+a.table+" WHERE rowid IN ("+a.which+")", now.Add(-a.age(r))); err != nil {
			return err
		}
	}
	for _, k := range keyless {
		if err := deleteOld(ctx, db, "DELETE FROM "+k.table+" WHERE "+k.where, now.Add(-k.age(r))); err != nil {
			return err
		}
	}
	return h.fit(ctx, db, int64(r.SizeMiB)<<20)
}

// fit lets go of the oldest lines, then of the oldest of how things fared,
// then of the oldest events, until the rows take no more than their size. What
// is gone before its age is recorded as missing.
func (h *History) fit(ctx context.Context, db *sql.DB, most int64) error {
	for _, table := range []string{"log", "status", "part", "event"} {
		for {
			used, err := used(ctx, db)
			if err != nil || used <= most {
				return err
			}
			var oldest, middle sql.NullInt64
			if err := db.QueryRowContext(ctx, "SELECT min(at) FROM "+table).Scan(&oldest); err != nil {
				return err
			}
			if !oldest.Valid {
				break
			}
			if err := db.QueryRowContext(ctx, "SELECT at FROM "+table+" ORDER BY at LIMIT 1 OFFSET (SELECT count(*) / 8 FROM "+table+")").Scan(&middle); err != nil {
				return err
			}
			gone, err := h.shorten(ctx, db, table, middle.Int64+1)
			if err != nil {
				return err
			}
			if gone == 0 {
				break
			}
			h.config.Log.Info("the history is over its size", "table", table, "rows", gone, "until", instant(middle.Int64))
			if err := writeRows(ctx, db, []Row{h.cut(table, middle.Int64, gone)}); err != nil {
				return err
			}
		}
	}
	return nil
}

// cut says that rows of a table up to a time are gone.
func (h *History) cut(table string, until, gone int64) Gap {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.gaps++
	what := map[string]class{"log": lines, "status": soft, "part": soft, "event": kept}[table]
	return Gap{Source: Source{h.source, h.gaps}, At: instant(until), What: classNames[what], Lost: uint64(gone)}
}

// shorten lets go of a table's rows before a time.
func (h *History) shorten(ctx context.Context, db *sql.DB, table string, before int64) (gone int64, err error) {
	for _, a := range aged {
		if a.table == table {
			return deleteAll(ctx, db, "DELETE FROM "+table+" WHERE rowid IN ("+a.which+")", before)
		}
	}
	for _, k := range keyless {
		if k.table == table || table == "event" && k.table == "event_key" {
			n, err := deleteAll(ctx, db, "DELETE FROM "+k.table+" WHERE "+k.where, before)
			if err != nil {
				return gone, err
			}
			if k.table == table {
				gone += n
			}
		}
	}
	return gone, nil
}

// used is how many bytes the rows take.
func used(ctx context.Context, db *sql.DB) (int64, error) {
	var pages, free, size int64
	for pragma, into := range map[string]*int64{"page_count": &pages, "freelist_count": &free, "page_size": &size} {
		if err := db.QueryRowContext(ctx, "PRAGMA "+pragma).Scan(into); err != nil {
			return 0, fmt.Errorf("measure the history: %w", err)
		}
	}
	return (pages - free) * size, nil
}

func deleteOld(ctx context.Context, db *sql.DB, statement string, before time.Time) error {
	_, err := deleteAll(ctx, db, statement, micros(before))
	return err
}

// deleteAll runs a statement that takes a time and a limit until nothing is
// left for it.
func deleteAll(ctx context.Context, db *sql.DB, statement string, before int64) (gone int64, err error) {
	for {
		result, err := db.ExecContext(ctx, statement, before, deleteAtOnce)
		if err != nil {
			return gone, fmt.Errorf("let go of the oldest: %w", err)
		}
		n, err := result.RowsAffected()
		gone += n
		if err != nil || n == 0 {
			return gone, err
		}
	}
}

// retentionSettings names what an operator may set.
var retentionSettings = map[string]func(*operator.Retention) *time.Duration{
	"events": func(r *operator.Retention) *time.Duration { return &r.Events },
	"status": func(r *operator.Retention) *time.Duration { return &r.Status },
	"lines":  func(r *operator.Retention) *time.Duration { return &r.Lines },
	"audit":  func(r *operator.Retention) *time.Duration { return &r.Audit },
}

func retention(ctx context.Context, db *sql.DB) (operator.Retention, error) {
	r := DefaultRetention
	rows, err := db.QueryContext(ctx, "SELECT name, value FROM setting")
	if err != nil {
		return r, fmt.Errorf("read the retention: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var name, value string
		if err := rows.Scan(&name, &value); err != nil {
			return r, fmt.Errorf("read the retention: %w", err)
		}
		if name == "size" {
			_, err = fmt.Sscan(value, &r.SizeMiB)
		} else if field, ok := retentionSettings[name]; ok {
			*field(&r), err = time.ParseDuration(value)
		}
		if err != nil {
			return r, fmt.Errorf("read the retention: %s: %w", name, err)
		}
	}
	return r, rows.Err()
}

// Retention returns how long and how much is kept.
func (h *History) Retention(ctx context.Context) (operator.Retention, error) {
	db, err := h.reader()
	if err != nil {
		return operator.Retention{}, err
	}
	return retention(ctx, db)
}

// SetRetention decides how long and how much is kept; zero fields stay as they
// are.
func (h *History) SetRetention(ctx context.Context, r operator.Retention) error {
	var rows []Row
	for name, field := range retentionSettings {
		d := *field(&r)
		if d != 0 && d < time.Hour {
			return fmt.Errorf("retention of %s: %v is less than an hour: %w", name, d, model.ErrInvalid)
		}
		if d != 0 {
			rows = append(rows, setting{name, d.String()})
		}
	}
	if r.SizeMiB != 0 && r.SizeMiB < 16 {
		return fmt.Errorf("retention: size %d MiB is less than 16: %w", r.SizeMiB, model.ErrInvalid)
	}
	if r.SizeMiB != 0 {
		rows = append(rows, setting{"size", fmt.Sprint(r.SizeMiB)})
	}
	if _, err := h.reader(); err != nil {
		return err
	}
	if err := h.Put(ctx, rows...); err != nil {
		return err
	}
	return h.Flushed(ctx)
}
