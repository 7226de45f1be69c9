package history_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/gantry-orchestrator/gantry/engine/history"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

var epoch = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// start runs a history until the test ends, or stop is called.
func start(t testing.TB, c history.Config) (h *history.History, stop func()) {
	t.Helper()
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = func() time.Time { return epoch.Add(time.Hour) }
	}
	h = history.New(c)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx) }()
	stopped := false
	stop = func() {
		if !stopped {
			stopped = true
			cancel()
			if err := <-done; err != nil {
				t.Errorf("Run = %v", err)
			}
		}
	}
	t.Cleanup(stop)
	return h, stop
}

func put(t testing.TB, h *history.History, rows ...history.Row) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := h.Put(ctx, rows...); err != nil {
		t.Fatal(err)
	}
	if err := h.Flushed(ctx); err != nil {
		t.Fatalf("flush: %v; health %+v", err, h.Health())
	}
}

func event(index uint64, keys ...string) history.Event {
	return history.Event{
		Index: index, Revision: index / 2, Model: "m", At: epoch.Add(time.Duration(index) * time.Second),
		Origin: "operator", Author: "user/ada", Reason: "why", Summary: []string{fmt.Sprintf("change %d", index)}, Keys: keys,
	}
}

func TestAnEventIsFoundByWhatItTouched(t *testing.T) {
	h, _ := start(t, history.Config{Dir: t.TempDir()})
	put(t, h, event(1, "application/pg"), event(2, "unit/pg/0"), event(3, "unit/pgbouncer/0"))
	for entity, want := range map[string][]uint64{
		"":               {1, 2, 3},
		"unit/pg/0":      {2},
		"application/pg": {1, 2}, // an application's units too, and not those of one whose name begins alike
	} {
		got, err := h.Events(t.Context(), operator.HistoryQuery{Model: "m", Entity: entity})
		if err != nil {
			t.Fatal(err)
		}
		var indexes []uint64
		for _, e := range got {
			indexes = append(indexes, e.Index)
		}
		if fmt.Sprint(indexes) != fmt.Sprint(want) {
			t.Errorf("events of %q = %v, want %v", entity, indexes, want)
		}
	}
	if other, err := h.Events(t.Context(), operator.HistoryQuery{Model: "other"}); err != nil || len(other) != 0 {
		t.Errorf("events of another model = %v, %v", other, err)
	}
}

func TestWhatIsSentTwiceIsKeptOnce(t *testing.T) {
	h, _ := start(t, history.Config{Dir: t.TempDir()})
	source := history.Source{ID: "s", N: 1}
	rows := []history.Row{
		event(1, "unit/pg/0"),
		history.Status{Source: source, At: epoch, Model: "m", Entity: "unit/pg/0", Kind: "workload", Level: "active"},
		history.Line{Source: source, At: epoch, Model: "m", Unit: "pg/0", Origin: "agent", Text: "hello"},
		history.Cursor{Name: "events", Index: 1},
	}
	put(t, h, rows...)
	put(t, h, rows...)
	set, err := h.Query(t.Context(), operator.Statement{SQL: "SELECT (SELECT count(*) FROM events), (SELECT count(*) FROM status_log), (SELECT count(*) FROM log)"})
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(set.Rows); got != "[[1 1 1]]" {
		t.Errorf("rows = %v, want one of each", got)
	}
}

func TestTheCursorNeverGoesBack(t *testing.T) {
	h, _ := start(t, history.Config{Dir: t.TempDir()})
	put(t, h, history.Cursor{Name: "events", Index: 9})
	put(t, h, history.Cursor{Name: "events", Index: 4})
	if at, err := h.Cursor(t.Context(), "events"); err != nil || at != 9 {
		t.Errorf("cursor = %d, %v; want 9", at, err)
	}
}

func TestWhatIsWrittenOutlivesTheProcess(t *testing.T) {
	dir := t.TempDir()
	h, stop := start(t, history.Config{Dir: dir})
	put(t, h, event(1, "unit/pg/0"))
	stop()
	if _, err := h.Events(t.Context(), operator.HistoryQuery{Model: "m"}); !errors.Is(err, model.ErrUnavailable) {
		t.Errorf("reading a history that stopped = %v, want class unavailable", err)
	}
	h, _ = start(t, history.Config{Dir: dir})
	put(t, h, event(2, "unit/pg/0"))
	if got, err := h.Events(t.Context(), operator.HistoryQuery{Model: "m"}); err != nil || len(got) != 2 {
		t.Errorf("events after a restart = %v, %v", got, err)
	}
}

func TestAnOperationThatEndedStaysEnded(t *testing.T) {
	h, _ := start(t, history.Config{Dir: t.TempDir()})
	asked := history.Operation{Model: "m", ID: "1", Index: 5, Asked: epoch, Kind: "action", Target: "pg/0", Task: "backup", Author: "user/ada", State: "pending"}
	ended := asked
	ended.Ended, ended.State, ended.Result = epoch.Add(time.Minute), "done", []byte(`{"code":0}`)
	put(t, h, asked)
	put(t, h, ended)
	put(t, h, asked)
	set, err := h.Query(t.Context(), operator.Statement{Model: "m", SQL: "SELECT state, time, ended, result FROM operations"})
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(set.Rows); got != `[[done 2026-03-01 12:00:00.000 2026-03-01 12:01:00.000 {"code":0}]]` {
		t.Errorf("operations = %v", got)
	}
}

func TestAStatusIsAsItWasAtAMoment(t *testing.T) {
	h, _ := start(t, history.Config{Dir: t.TempDir()})
	unit := func(level model.Level) operator.Unit {
		return operator.Unit{Name: model.UnitName{Application: "pg", Number: 0}, Status: model.Status{Level: level}}
	}
	record := func(index, revision uint64, at time.Time, was, is operator.Status) {
		t.Helper()
		before, err := history.Parts(was)
		if err != nil {
			t.Fatal(err)
		}
		after, err := history.Parts(is)
		if err != nil {
			t.Fatal(err)
		}
		var rows []history.Row
		for name, doc := range after {
			if string(before[name]) != string(doc) {
				rows = append(rows, history.Part{Model: "m", Name: name, Index: index, Revision: revision, At: at, Document: doc})
			}
		}
		for name := range before {
			if after[name] == nil {
				rows = append(rows, history.Part{Model: "m", Name: name, Index: index, Revision: revision, At: at})
			}
		}
		put(t, h, rows...)
	}
	first := operator.Status{Model: operator.ModelStatus{Name: "m"}, Applications: []operator.Application{{Name: "pg", Units: []operator.Unit{unit(model.Waiting)}}}}
	second := operator.Status{Model: operator.ModelStatus{Name: "m"}, Applications: []operator.Application{{Name: "pg", Units: []operator.Unit{unit(model.Active)}}}}
	third := operator.Status{Model: operator.ModelStatus{Name: "m"}, Applications: []operator.Application{{Name: "pg"}}}
	put(t, h, history.Event{Index: 1, Revision: 1, Model: "m", At: epoch.Add(-time.Second), Origin: "operator"})
	record(1, 1, epoch, operator.Status{}, first)
	put(t, h, history.Looked(0, 1, 1, epoch))
	record(1, 1, epoch.Add(time.Second), first, second) // the same index: an agent reported
	put(t, h, history.Looked(0, 4, 2, epoch.Add(30*time.Second)))
	record(8, 5, epoch.Add(time.Minute), second, third)
	put(t, h, history.Looked(0, 8, 5, epoch.Add(time.Minute)))

	for name, c := range map[string]struct {
		at   operator.Moment
		want []model.Level
	}{
		"at the first moment":                                {operator.Moment{Time: epoch}, []model.Level{model.Waiting}},
		"between two":                                        {operator.Moment{Time: epoch.Add(30 * time.Second)}, []model.Level{model.Active}},
		"at a revision, as it was at its end":                {operator.Moment{Revision: 1}, []model.Level{model.Active}},
		"at a revision that changed nothing":                 {operator.Moment{Revision: 2}, []model.Level{model.Active}},
		"at one that nobody saw, as at the first look after": {operator.Moment{Revision: 3}, nil},
		"at the newest":                                      {operator.Moment{Revision: 5}, nil},
		"made, but before the first look":                    {operator.Moment{Time: epoch.Add(-time.Second)}, []model.Level{model.Waiting}},
		"once the unit was gone":                             {operator.Moment{Time: epoch.Add(time.Hour)}, nil},
		"now":                                                {operator.Moment{}, nil},
	} {
		got, err := h.StatusAt(t.Context(), "m", c.at)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var levels []model.Level
		for _, u := range got.Status.Applications[0].Units {
			levels = append(levels, u.Status.Level)
		}
		if fmt.Sprint(levels) != fmt.Sprint(c.want) {
			t.Errorf("%s: units are %v, want %v", name, levels, c.want)
		}
	}
	for name, c := range map[string]struct {
		at   operator.Moment
		want error
	}{
		"before it was made":              {operator.Moment{Time: epoch.Add(-time.Minute)}, model.ErrNotFound},
		"before what is kept":             {operator.Moment{Time: epoch.Add(-31 * 24 * time.Hour)}, model.ErrNotFound},
		"at a revision not yet looked at": {operator.Moment{Revision: 6}, model.ErrUnavailable},
	} {
		if _, err := h.StatusAt(t.Context(), "m", c.at); !errors.Is(err, c.want) {
			t.Errorf("%s = %v, want class %v", name, err, c.want)
		}
	}
}

func TestAStatementSeesItsModelAndWritesNothing(t *testing.T) {
	h, _ := start(t, history.Config{Dir: t.TempDir()})
	theirs := event(2, "unit/secret/0")
	theirs.Model = "theirs"
	put(t, h, event(1, "unit/pg/0"), theirs)
	run := func(sql string) (operator.ResultSet, error) {
		return h.Query(t.Context(), operator.Statement{Model: "m", SQL: sql})
	}
	for sql, want := range map[string]string{
		"SELECT idx, time FROM events":                             "[[1 2026-03-01 12:00:01.000]]",
		"with e as (select * from \"events\") select keys from e;": "[[unit/pg/0]]",
		"SELECT ';' -- ; no statement":                             "[[;]]",
		"VALUES (1), (2)":                                          "[[1] [2]]",
	} {
		if set, err := run(sql); err != nil || fmt.Sprint(set.Rows) != want {
			t.Errorf("%s = %v, %v; want %s", sql, set.Rows, err, want)
		}
	}
	for _, sql := range []string{
		"", ";", "DELETE FROM events", "SELECT 1; SELECT 2", "PRAGMA query_only = 0", "ATTACH '/etc/passwd' AS p", "EXPLAIN SELECT 1",
		"WITH x AS (SELECT 1) DELETE FROM events", "WITH x AS (SELECT 1) INSERT INTO events (idx) SELECT 9",
		"SELECT * FROM event", "SELECT * FROM status", "SELECT * FROM setting", "SELECT load_extension('x')",
		"SELECT zeroblob(100000000)", "SELECT", "SELECT nonsense FROM events", "VACUUM INTO '/tmp/x'",
	} {
		if set, err := run(sql); !errors.Is(err, model.ErrInvalid) {
			t.Errorf("%s = %v, %v; want invalid", sql, set.Rows, err)
		}
	}
	all, err := h.Query(t.Context(), operator.Statement{SQL: "SELECT count(*) FROM events"})
	if err != nil || fmt.Sprint(all.Rows) != "[[2]]" {
		t.Errorf("of all models = %v, %v", all.Rows, err)
	}
}

func TestAStatementThatSelectsTooMuchIsCutShort(t *testing.T) {
	h, _ := start(t, history.Config{Dir: t.TempDir()})
	put(t, h, event(1))
	set, err := h.Query(t.Context(), operator.Statement{SQL: "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n"})
	if err != nil || len(set.Rows) != 1000 || len(set.Notes) != 1 {
		t.Errorf("an endless select = %d rows, notes %q, %v", len(set.Rows), set.Notes, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err = h.Query(ctx, operator.Statement{SQL: "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"})
	if !errors.Is(err, model.ErrUnavailable) {
		t.Errorf("an endless count = %v, want it ended in time", err)
	}
}

func TestLinesAreFiltered(t *testing.T) {
	h, _ := start(t, history.Config{Dir: t.TempDir()})
	var rows []history.Row
	for i, l := range []history.Line{
		{Unit: "pg/0", Machine: "uuid-0", Origin: "service-postgres", Level: "info", Text: "ready"},
		{Unit: "pg/1", Machine: "uuid-1", Origin: "service-postgres", Level: "ERROR", Text: "disk is full"},
		{Machine: "uuid-1", Origin: "agent", Level: "warn", Text: "late"},
	} {
		l.Source, l.At, l.Model = history.Source{ID: "s", N: uint64(i)}, epoch.Add(time.Duration(i)*time.Second), "m"
		rows = append(rows, l)
	}
	put(t, h, rows...)
	for name, c := range map[string]struct {
		q    operator.LineQuery
		want string
	}{
		"all":                       {operator.LineQuery{}, "ready,disk is full,late"},
		"the newest":                {operator.LineQuery{Limit: 1}, "late"},
		"of a unit":                 {operator.LineQuery{Units: []model.UnitName{{Application: "pg", Number: 1}}}, "disk is full"},
		"of a machine":              {operator.LineQuery{Machines: []string{"uuid-1"}}, "disk is full,late"},
		"of a level or worse":       {operator.LineQuery{Level: "warn"}, "disk is full,late"},
		"of an agent":               {operator.LineQuery{Origin: "agent"}, "late"},
		"of a service":              {operator.LineQuery{Origin: "postgres"}, "ready,disk is full"},
		"of a service by its id":    {operator.LineQuery{Origin: "service/postgres"}, "ready,disk is full"},
		"with a text":               {operator.LineQuery{Match: "is f"}, "disk is full"},
		"since":                     {operator.LineQuery{Since: epoch.Add(time.Second)}, "disk is full,late"},
		"a quote in a text is text": {operator.LineQuery{Match: "' OR 1=1 --"}, ""},
	} {
		c.q.Model = "m"
		got, err := h.Lines(t.Context(), c.q)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var texts []string
		for _, l := range got.Lines {
			texts = append(texts, l.Text)
		}
		if strings.Join(texts, ",") != c.want {
			t.Errorf("%s = %q, want %q", name, texts, c.want)
		}
	}
}

func TestAnotherLifeOfTheControlPlaneHasIndexesOfItsOwn(t *testing.T) {
	h, _ := start(t, history.Config{Dir: t.TempDir()})
	part := history.Part{Model: "m", Name: "model", Index: 7, Revision: 3, At: epoch, Document: []byte(`{"name":"m"}`)}
	put(t, h, event(7, "unit/pg/0"), history.Operation{Model: "m", ID: "1", Index: 7, Asked: epoch, State: "done"}, part)

	// A backup from before was restored: the index comes again, with another change.
	again := event(7, "unit/pg/0")
	again.Epoch, again.At, again.Reason = 2, again.At.Add(time.Hour), "after the restore"
	earlier := event(5, "unit/pg/0")
	earlier.Epoch, earlier.At, earlier.Reason = 2, again.At.Add(-time.Minute), "the first after the restore"
	part.Epoch, part.Index, part.At, part.Document = 2, 5, part.At.Add(time.Hour), []byte(`{"name":"m","provider":"sandbox"}`)
	put(t, h, earlier, again, history.Operation{Model: "m", ID: "1", Epoch: 2, Index: 7, Asked: epoch, State: "failed"}, part)

	for _, entity := range []string{"", "unit/pg/0"} {
		events, err := h.Events(t.Context(), operator.HistoryQuery{Model: "m", Entity: entity})
		var reasons []string
		for _, e := range events {
			reasons = append(reasons, e.Reason)
		}
		if got := strings.Join(reasons, ", "); err != nil || got != "why, the first after the restore, after the restore" {
			t.Errorf("events of %q = %q, %v", entity, got, err)
		}
	}
	set, err := h.Query(t.Context(), operator.Statement{Model: "m", SQL: "SELECT state FROM operations ORDER BY state"})
	if got := fmt.Sprint(set.Rows); err != nil || got != "[[done] [failed]]" {
		t.Errorf("operations = %s, %v", got, err)
	}
	parts, _, err := h.PartsAt(t.Context(), "m", operator.Moment{})
	if got := string(parts["model"]); err != nil || !strings.Contains(got, "sandbox") {
		t.Errorf("the newest part is %s, %v: want the restored life's", got, err)
	}
}
