package history

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/gantry-orchestrator/gantry/model/operator"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// opened is a history that nobody writes to but the test.
func opened(t *testing.T) (*History, *sql.DB) {
	t.Helper()
	h := New(Config{Dir: t.TempDir(), Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return noon }})
	db, err := openDatabase(t.Context(), h.config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.shut(); err != nil {
			t.Error(err)
		}
	})
	if err := migrate(t.Context(), db.write); err != nil {
		t.Fatal(err)
	}
	h.db = db
	return h, db.write
}

type fataler interface{ Fatal(...any) }

// times are those of a table's rows, in order.
func times(t fataler, db *sql.DB, from string) []int64 {
	list, err := all(context.Background(), db, "SELECT at FROM "+from+" ORDER BY at", nil, func(rows *sql.Rows) (at int64, err error) {
		return at, rows.Scan(&at)
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestByAgeGoesWhatIsTooOldAndNothingThatStatusesNeed(t *testing.T) {
	h, db := opened(t)
	ctx := context.Background()
	tables := []string{"log", "status", "audit", "event", "operation", "gap"}
	rapid.Check(t, func(t *rapid.T) {
		for _, table := range append(tables, "event_key", "part", "setting") {
			if _, err := db.Exec("DELETE FROM " + table); err != nil {
				t.Fatal(err)
			}
		}
		age := rapid.Custom(func(t *rapid.T) time.Duration {
			return time.Duration(rapid.IntRange(1, 6).Draw(t, "hours")) * time.Hour
		})
		kept := operator.Retention{Events: age.Draw(t, "events"), Status: age.Draw(t, "status"), Lines: age.Draw(t, "lines"), Audit: age.Draw(t, "audit")}
		var rows []Row
		for name, field := range retentionSettings {
			rows = append(rows, setting{name, field(&kept).String()})
		}
		ages := map[string]time.Duration{"log": kept.Lines, "status": kept.Status, "audit": kept.Audit, "event": kept.Events, "operation": kept.Events, "gap": kept.Events}
		want := map[string][]int64{}
		now := noon
		for i := range rapid.IntRange(1, 40).Draw(t, "rows") {
			at := now.Add(-time.Duration(rapid.IntRange(0, 480).Draw(t, "minutes")) * time.Minute)
			n, table := uint64(i), rapid.SampledFrom(tables).Draw(t, "table")
			source := Source{"s", n}
			rows = append(rows, map[string]Row{
				"log": Line{Source: source, At: at}, "status": Status{Source: source, At: at}, "audit": Audit{Source: source, At: at},
				"event": Event{Index: n, Model: "m", At: at}, "gap": Gap{Source: source, At: at},
				"operation": Operation{ID: fmt.Sprint(n), Asked: at, Ended: at},
			}[table])
			if table == "event" {
				rows = append(rows, eventKey{model: "m", entity: "e", index: n})
			}
			if now.Sub(at) <= ages[table] {
				want[table] = append(want[table], micros(at))
			}
		}
		parts := drawParts(t, now)
		for _, p := range parts {
			rows = append(rows, p)
		}
		if err := writeRows(ctx, db, rows); err != nil {
			t.Fatal(err)
		}
		if err := h.retainAll(ctx, db, now); err != nil {
			t.Fatal(err)
		}
		for _, table := range tables {
			slices.Sort(want[table])
			if got := times(t, db, table); !slices.Equal(got, want[table]) {
				t.Fatalf("%s has %d rows, want %d", table, len(got), len(want[table]))
			}
		}
		if got := times(t, db, "(SELECT e.at FROM event_key k JOIN event e ON e.idx = k.idx)"); len(got) != len(want["event"]) {
			t.Fatalf("%d keys of %d events", len(got), len(want["event"]))
		}
		for ago := time.Duration(0); ago <= kept.Status; ago += 10 * time.Minute {
			wantParts(t, db, parts, now.Add(-ago))
		}
	})
}

// drawParts are documents of three parts at rising indexes and times.
func drawParts(t *rapid.T, now time.Time) (parts []Part) {
	at := now.Add(-9 * time.Hour)
	for i := range rapid.IntRange(0, 20).Draw(t, "parts") {
		at = at.Add(time.Duration(rapid.IntRange(1, 50).Draw(t, "later")) * time.Minute)
		if at.After(now) {
			break
		}
		p := Part{Model: "m", Name: rapid.SampledFrom([]string{"model", "unit/a/0", "unit/a/1"}).Draw(t, "part"), Index: uint64(i), At: at}
		if rapid.Bool().Draw(t, "there") {
			p.Document = []byte(fmt.Sprint(i))
		}
		parts = append(parts, p)
	}
	return parts
}

// wantParts compares the parts at a time with those of all that were written.
func wantParts(t *rapid.T, db *sql.DB, parts []Part, at time.Time) {
	want := map[string]string{}
	for _, p := range parts {
		if p.At.After(at) {
			break
		}
		want[p.Name] = string(p.Document)
	}
	for name, document := range want {
		var got sql.NullString
		err := db.QueryRow("SELECT max(doc) FROM (SELECT doc FROM part WHERE part = ? AND at <= ? ORDER BY idx DESC LIMIT 1)", name, micros(at)).Scan(&got)
		if err != nil || got.String != document {
			t.Fatalf("part %s at %v is %q, %v; want %q", name, at, got.String, err, document)
		}
	}
}

func TestBySizeTheOldestLinesGoFirstAndAreCounted(t *testing.T) {
	h, db := opened(t)
	const n = 400
	text := strings.Repeat("x", 4000)
	var rows []Row
	for i := range uint64(n) {
		at := noon.Add(time.Duration(i) * time.Second)
		rows = append(rows, Line{Source: Source{"s", i}, At: at, Text: text}, Event{Index: i, Model: "m", At: at, Reason: text})
	}
	if err := writeRows(t.Context(), db, rows); err != nil {
		t.Fatal(err)
	}
	fit := func(most int64) (lines, events []int64) {
		t.Helper()
		if err := h.fit(t.Context(), db, most); err != nil {
			t.Fatal(err)
		}
		if size, err := used(t.Context(), db); err != nil || size > most {
			t.Errorf("it takes %d bytes, %v; at most %d are wanted", size, err, most)
		}
		return times(t, db, "log"), times(t, db, "event")
	}
	lines, events := fit(5 << 19)
	if len(events) != n || len(lines) == 0 || len(lines) == n {
		t.Fatalf("%d lines and %d events stay: want some lines and all events", len(lines), len(events))
	}
	if lines[len(lines)-1] != micros(noon.Add((n-1)*time.Second)) || lines[0] != micros(noon.Add(time.Duration(n-len(lines))*time.Second)) {
		t.Error("it is not the newest lines that stay")
	}
	missing := func(what string) (lost uint64) {
		t.Helper()
		gaps, err := h.Gaps(t.Context(), operator.HistoryQuery{})
		if err != nil {
			t.Fatal(err)
		}
		for _, g := range gaps {
			if g.What == what {
				lost += g.Lost
			}
		}
		return lost
	}
	if got := missing("lines"); got != uint64(n-len(lines)) {
		t.Errorf("%d lines are said to be missing, %d are", got, n-len(lines))
	}
	lines, events = fit(1 << 20)
	if len(lines) > 0 || len(events) == 0 || events[len(events)-1] != micros(noon.Add((n-1)*time.Second)) {
		t.Errorf("%d lines and %d events stay: want the newest events alone", len(lines), len(events))
	}
	if got := missing("events"); got != uint64(n-len(events)) {
		t.Errorf("%d events are said to be missing, %d are", got, n-len(events))
	}
}
