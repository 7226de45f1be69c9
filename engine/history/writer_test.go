package history

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"

	"modernc.org/sqlite"
	"pgregory.net/rapid"
)

var errLost = errors.New("the answer was lost")

// forgetful is SQLite behind a connection that loses questions and answers.
type forgetful struct {
	file  string
	luck  *rand.Rand // the writer alone draws from it
	often float64
}

func (f *forgetful) loses() bool { return f.luck.Float64() < f.often }

// losesSeldom is for what happens many times in a transaction.
func (f *forgetful) losesSeldom() bool { return f.luck.Float64() < f.often/20 }

// Connect implements driver.Connector.
func (f *forgetful) Connect(context.Context) (driver.Conn, error) {
	if f.loses() {
		return nil, errLost
	}
	c, err := f.Driver().Open(f.file)
	return forgetfulConn{c, f}, err
}

// Driver implements driver.Connector.
func (f *forgetful) Driver() driver.Driver { return &sqlite.Driver{} }

type forgetfulConn struct {
	driver.Conn
	f *forgetful
}

// BeginTx implements driver.ConnBeginTx.
func (c forgetfulConn) BeginTx(ctx context.Context, o driver.TxOptions) (driver.Tx, error) {
	tx, err := c.Conn.(driver.ConnBeginTx).BeginTx(ctx, o)
	return forgetfulTx{tx, c.f}, err
}

// ExecContext implements driver.ExecerContext.
func (c forgetfulConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	if c.f.losesSeldom() {
		return nil, errLost
	}
	return c.Conn.(driver.ExecerContext).ExecContext(ctx, query, args)
}

// QueryContext implements driver.QueryerContext.
func (c forgetfulConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	return c.Conn.(driver.QueryerContext).QueryContext(ctx, query, args)
}

type forgetfulTx struct {
	driver.Tx
	f *forgetful
}

// Commit commits or not, and says so or not.
func (t forgetfulTx) Commit() error {
	if t.f.loses() {
		return errors.Join(errLost, t.Rollback())
	}
	err := t.Tx.Commit()
	if t.f.loses() {
		return errLost
	}
	return err
}

func TestWhateverAnswersAreLostEachRowIsWrittenOnce(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(r *rapid.T) {
		file := filepath.Join(dir, "history.db")
		if err := os.RemoveAll(file); err != nil {
			r.Fatal(err)
		}
		f := &forgetful{file, rand.New(rand.NewPCG(rapid.Uint64().Draw(r, "seed"), 0)), rapid.Float64Range(0, 0.6).Draw(r, "often")}
		// Of each step: how many lines; an event where there are none.
		script := rapid.SliceOfN(rapid.OneOf(rapid.Just(0), rapid.IntRange(1, 2*batch)), 1, 12).Draw(r, "script")
		synctest.Test(t, func(t *testing.T) { writeThrough(t, f, script) })
		if t.Failed() {
			r.Fatal("rows are missing, or doubled")
		}
	})
}

// writeThrough has the writer write a script through f, and compares.
func writeThrough(t *testing.T, f *forgetful, script []int) {
	clean, err := sql.Open("sqlite", f.file)
	if err != nil {
		t.Fatal(err)
	}
	defer clean.Close()
	if err := migrate(t.Context(), clean); err != nil {
		t.Fatal(err)
	}
	h := New(Config{Log: slog.New(slog.DiscardHandler)})
	db := &database{write: sql.OpenDB(f)}
	db.write.SetMaxOpenConns(1)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- h.write(ctx, db) }()
	events, lines := 0, 0
	for _, n := range script {
		if n == 0 {
			events++
			e := Event{Index: uint64(events), Model: "m", At: noon, Keys: []string{"unit/a/0", fmt.Sprint(events)}}
			if err := h.Put(ctx, e, Cursor{Name: "events", Index: e.Index}); err != nil {
				t.Fatal(err)
			}
		}
		for range n {
			lines++
			h.Offer(Line{Source: Source{"s", uint64(lines)}, At: noon, Text: "text"})
		}
	}
	if err := h.Flushed(ctx); err != nil {
		t.Fatal(err)
	}
	stop()
	if err := errors.Join(<-done, db.write.Close()); err != nil {
		t.Fatal(err)
	}
	for query, want := range map[string]int{
		"SELECT count(*) FROM event": events, "SELECT count(*) FROM event_key": 2 * events, "SELECT count(*) FROM log": lines,
		"SELECT count(*) FROM gap": 0, "SELECT coalesce(max(idx), 0) FROM cursor": events,
	} {
		var got int
		if err := clean.QueryRow(query).Scan(&got); err != nil || got != want {
			t.Errorf("%s = %d, %v; want %d", query, got, err, want)
		}
	}
}
