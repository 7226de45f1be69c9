package history

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"
	"unicode"

	"modernc.org/sqlite"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

// Bounds of one statement of an operator.
const (
	statementLimit = 10 * time.Second
	statementRows  = 1000    // of the answer
	statementBytes = 4 << 20 // of the answer
	viewRows       = 50_000  // of each view: the newest
	valueBytes     = 1 << 20 // of any one value
)

// SQLite's own numbers of what sqlite.Limit bounds.
const (
	limitLength     = 0
	limitAttached   = 7
	limitExpression = 3
)

// view is a table that an operator's statement sees, and how it is filled: for
// one model, or for all where ?1 is empty.
type view struct {
	name    string
	columns string // as a statement sees them
	from    string
}

// Times are text in UTC, as SQLite's own functions read them.
const iso = "strftime('%Y-%m-%d %H:%M:%f', {} / 1000000.0, 'unixepoch')"

func at(column string) string { return strings.ReplaceAll(iso, "{}", column) }

var views = []view{
	{
		"events", "idx, model, time, revision, origin, author, reason, summary, keys",
		"SELECT idx, model, " + at("at") + ", revision, origin, author, reason, summary, keys FROM event WHERE (?1 = '' OR model = ?1) ORDER BY at DESC LIMIT ?2",
	},
	{
		"status_log", "time, model, entity, kind, status, message, idx, revision",
		"SELECT " + at("at") + ", model, entity, kind, level, message, idx, revision FROM status WHERE (?1 = '' OR model = ?1) ORDER BY at DESC LIMIT ?2",
	},
	{
		"operations", "id, model, time, ended, kind, target, task, author, state, result",
		"SELECT id, model, " + at("at") + ", CASE ended WHEN 0 THEN NULL ELSE " + at("ended") + " END, kind, target, task, author, state, result FROM operation WHERE (?1 = '' OR model = ?1) ORDER BY at DESC LIMIT ?2",
	},
	{
		"log", "time, model, unit, machine, origin, level, text",
		"SELECT " + at("at") + ", model, unit, machine, origin, level, text FROM log WHERE (?1 = '' OR model = ?1) ORDER BY at DESC, n DESC LIMIT ?2",
	},
	{
		"audit", "time, who, method, model, outcome, why",
		"SELECT " + at("at") + ", who, method, model, outcome, why FROM audit WHERE (?1 = '' OR model = ?1) ORDER BY at DESC LIMIT ?2",
	},
	{
		"gaps", "time, what, first, last, lost",
		"SELECT " + at("at") + ", what, first, last, lost FROM gap WHERE ?1 IS NOT NULL ORDER BY at DESC LIMIT ?2",
	},
}

// Query runs one SELECT of an operator. It sees a copy, in memory, of the
// views that it names, with the rows of its model and nothing else: so it can
// write nothing, learn nothing of other models, and hold nobody up.
func (h *History) Query(ctx context.Context, s operator.Statement) (operator.ResultSet, error) {
	words, err := checkStatement(s.SQL)
	if err != nil {
		return operator.ResultSet{}, err
	}
	from, err := h.reader()
	if err != nil {
		return operator.ResultSet{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, statementLimit)
	defer cancel()
	scratch, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		return operator.ResultSet{}, fmt.Errorf("query: %w", err)
	}
	defer scratch.Close()
	conn, err := scratch.Conn(ctx)
	if err != nil {
		return operator.ResultSet{}, fmt.Errorf("query: %w", err)
	}
	defer conn.Close()
	var notes []string
	for _, v := range views {
		full, err := v.fill(ctx, conn, from, s.Model, words[v.name])
		if err != nil {
			return operator.ResultSet{}, err
		}
		if full {
			notes = append(notes, fmt.Sprintf("%s: the newest %d rows were looked at, there are more", v.name, viewRows))
		}
	}
	if err := confine(ctx, conn); err != nil {
		return operator.ResultSet{}, err
	}
	out, err := selectAll(ctx, conn, s.SQL)
	out.Notes = append(notes, out.Notes...)
	return out, err
}

// fill makes the view's table and copies its rows, if they are wanted; full
// says that there were more.
func (v view) fill(ctx context.Context, to *sql.Conn, from *sql.DB, m model.ModelName, wanted bool) (full bool, err error) {
	if _, err := to.ExecContext(ctx, "CREATE TABLE "+v.name+" ("+v.columns+")"); err != nil || !wanted {
		return false, err
	}
	width := strings.Count(v.columns, ",") + 1
	tx, err := to.BeginTx(ctx, nil)
	if err != nil {
		return false, err
	}
	defer tx.Rollback()
	insert, err := tx.PrepareContext(ctx, "INSERT INTO "+v.name+" VALUES (?"+strings.Repeat(", ?", width-1)+")")
	if err != nil {
		return false, err
	}
	defer insert.Close()
	rows, err := from.QueryContext(ctx, v.from, string(m), viewRows+1)
	if err != nil {
		return false, failedTo("query", err)
	}
	defer rows.Close()
	n := 0
	for ; rows.Next() && n < viewRows; n++ {
		values, err := scanAny(rows, width)
		if err != nil {
			return false, failedTo("query", err)
		}
		if _, err := insert.ExecContext(ctx, values...); err != nil {
			return false, err
		}
	}
	full = n == viewRows
	if err := rows.Err(); err != nil {
		return false, failedTo("query", err)
	}
	return full, tx.Commit()
}

func scanAny(rows *sql.Rows, width int) ([]any, error) {
	values, into := make([]any, width), make([]any, width)
	for i := range values {
		into[i] = &values[i]
	}
	err := rows.Scan(into...)
	for i, v := range values {
		if b, ok := v.([]byte); ok {
			values[i] = string(b)
		}
	}
	return values, err
}

// confine takes from a connection what a statement has no use for.
func confine(ctx context.Context, conn *sql.Conn) error {
	for limit, most := range map[int]int{limitLength: valueBytes, limitAttached: 0, limitExpression: 200} {
		if _, err := sqlite.Limit(conn, limit, most); err != nil {
			return fmt.Errorf("query: %w", err)
		}
	}
	_, err := conn.ExecContext(ctx, "PRAGMA query_only = 1")
	return err
}

func selectAll(ctx context.Context, conn *sql.Conn, statement string) (out operator.ResultSet, err error) {
	out.Rows = [][]any{}
	rows, err := conn.QueryContext(ctx, statement)
	if err != nil {
		return out, refused(ctx, err)
	}
	defer rows.Close()
	if out.Columns, err = rows.Columns(); err != nil {
		return out, refused(ctx, err)
	}
	bytes := 0
	for rows.Next() {
		if len(out.Rows) == statementRows || bytes > statementBytes {
			out.Notes = append(out.Notes, fmt.Sprintf("the first %d rows: say LIMIT, or select less", len(out.Rows)))
			break
		}
		values, err := scanAny(rows, len(out.Columns))
		if err != nil {
			return out, refused(ctx, err)
		}
		for _, v := range values {
			if text, ok := v.(string); ok {
				bytes += len(text)
			}
		}
		out.Rows = append(out.Rows, values)
	}
	return out, refused(ctx, rows.Err())
}

// refused is what SQLite says of an operator's statement.
func refused(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("query: took over %v: select less: %w", statementLimit, model.ErrUnavailable)
	}
	return fmt.Errorf("query: %w; docs/history.md lists the views and their columns: %w", err, model.ErrInvalid)
}

// checkStatement refuses all but a single SELECT, and returns its words in
// lower case. What it lets through is confined all the same.
func checkStatement(text string) (words map[string]bool, err error) {
	words = map[string]bool{}
	first, ended := "", false
	for rest := text; rest != ""; {
		word, n := token(rest)
		rest = rest[n:]
		switch {
		case word == "":
		case ended:
			return nil, fmt.Errorf("query: more than one statement: %w", model.ErrInvalid)
		case word == ";":
			ended = true
		default:
			word = strings.ToLower(word)
			words[strings.TrimSuffix(word, "\x00")] = true
			if first == "" {
				first = word
			}
		}
	}
	if first != "select" && first != "with" && first != "values" {
		return nil, fmt.Errorf("query: expected a SELECT, found %q: history is only ever read: %w", first, model.ErrInvalid)
	}
	return words, nil
}

// token is the first token of a statement and its length. Space and comments
// are empty tokens; a quoted name or text is what is between its quotes.
func token(s string) (word string, n int) {
	closing := map[byte]byte{'\'': '\'', '"': '"', '`': '`', '[': ']'}
	switch {
	case strings.HasPrefix(s, "--"):
		if end := strings.IndexByte(s, '\n'); end >= 0 {
			return "", end + 1
		}
		return "", len(s)
	case strings.HasPrefix(s, "/*"):
		if end := strings.Index(s[2:], "*/"); end >= 0 {
			return "", end + 4
		}
		return "", len(s)
	case closing[s[0]] != 0:
		if end := strings.IndexByte(s[1:], closing[s[0]]); end >= 0 {
			return s[1:end+1] + "\x00", end + 2
		}
		return s, len(s)
	case strings.IndexByte(" \t\r\n\f", s[0]) >= 0:
		return "", 1
	}
	for i, r := range s {
		if r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			if i == 0 {
				return s[:1], 1
			}
			return s[:i], i
		}
	}
	return s, len(s)
}
