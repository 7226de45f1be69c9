package history

import (
	"strings"
	"time"
)

// Row is one thing to keep. The types of this package are all there are.
type Row interface {
	kind() *kind
	values() []any // as many as the kind has columns
	size() int     // of its text, about
}

// class says what is let go of first when the buffer is full.
type class uint8

const (
	kept  class = iota // never dropped: who brings it waits
	asked              // who asked for what: dropped last
	soft               // how things fared
	lines              // what agents wrote: dropped first
)

var classNames = [...]string{"events", "audit", "status", "lines"}

// kind is a table as the writer sees it.
type kind struct {
	class    class
	table    string
	columns  string // separated by ", "
	conflict string // what a second row with the same key does
}

func (k *kind) width() int { return strings.Count(k.columns, ",") + 1 }

const again = " ON CONFLICT DO NOTHING" // the same row, sent twice

var (
	eventKind = &kind{kept, "event", "epoch, idx, model, at, revision, origin, author, reason, summary, keys", again}
	keyKind   = &kind{kept, "event_key", "model, entity, epoch, idx", again}
	operation = &kind{
		kept, "operation", "model, id, epoch, idx, at, ended, kind, target, task, author, state, result",
		" ON CONFLICT DO UPDATE SET ended = excluded.ended, state = excluded.state, result = excluded.result WHERE operation.ended = 0",
	}
	auditKind  = &kind{asked, "audit", "source, n, at, who, method, model, outcome, why", again}
	gapKind    = &kind{kept, "gap", "source, n, at, what, first, last, lost", again}
	cursorKind = &kind{
		kept, "cursor", "name, idx",
		" ON CONFLICT DO UPDATE SET idx = excluded.idx WHERE excluded.idx > cursor.idx",
	}
	settingKind = &kind{kept, "setting", "name, value", " ON CONFLICT DO UPDATE SET value = excluded.value"}
	statusKind  = &kind{soft, "status", "source, n, at, model, entity, kind, level, message, idx, revision", again}
	partKind    = &kind{soft, "part", "model, part, epoch, idx, at, revision, doc", again}
	lineKind    = &kind{lines, "log", "source, n, at, model, unit, machine, origin, level, text", again}
)

// Event is a committed change of one model, or of the controller where Model
// is empty.
type Event struct {
	Epoch    uint64 // the number of the control plane's life; indexes are of one
	Index    uint64
	Revision uint64
	Model    string
	At       time.Time
	Origin   string // operator, solver or agents
	Author   string
	Reason   string
	Summary  []string
	Keys     []string // such as "unit/postgresql/0"
}

func (Event) kind() *kind { return eventKind }

func (e Event) values() []any {
	return []any{
		int64(e.Epoch), int64(e.Index), e.Model, micros(e.At), int64(e.Revision), e.Origin, e.Author, e.Reason,
		strings.Join(e.Summary, "\n"), strings.Join(e.Keys, "\n"),
	}
}

func (e Event) size() int { return 100 + len(e.Keys)*24 + len(e.Reason) }

// eventKey finds an event by what it touched.
type eventKey struct {
	model, entity string
	epoch, index  uint64
}

func (eventKey) kind() *kind { return keyKind }

func (k eventKey) values() []any { return []any{k.model, k.entity, int64(k.epoch), int64(k.index)} }

func (k eventKey) size() int { return 32 }

// Source makes the keys of rows that no index of the log names: it is unique
// to one term of one controller, and N counts in it.
type Source struct {
	ID string
	N  uint64
}

// Status is that an entity fares otherwise than before.
type Status struct {
	Source   Source
	At       time.Time
	Model    string
	Entity   string // such as "unit/postgresql/0"
	Kind     string // workload, agent, application or machine
	Level    string
	Message  string
	Index    uint64 // of the state that it was seen in
	Revision uint64
}

func (Status) kind() *kind { return statusKind }

func (s Status) values() []any {
	return []any{
		s.Source.ID, int64(s.Source.N), micros(s.At), s.Model, s.Entity, s.Kind, s.Level, s.Message, int64(s.Index), int64(s.Revision),
	}
}

func (s Status) size() int { return 80 + len(s.Message) }

// Part is a part of a model's status as it was from an index on: all parts of
// a time are the status then. An empty document says that the part is gone.
type Part struct {
	Model    string
	Name     string // such as "unit/postgresql/0"
	Epoch    uint64
	Index    uint64
	Revision uint64
	At       time.Time
	Document []byte // JSON
}

func (Part) kind() *kind { return partKind }

func (p Part) values() []any {
	return []any{p.Model, p.Name, int64(p.Epoch), int64(p.Index), micros(p.At), int64(p.Revision), string(p.Document)}
}

func (p Part) size() int { return 48 + len(p.Document) }

// Operation is a run of an action or a command. It is written when it is asked
// for and again when it ended.
type Operation struct {
	Model  string
	ID     string
	Epoch  uint64
	Index  uint64 // of the entry that asked for it
	Asked  time.Time
	Ended  time.Time
	Kind   string
	Target string // a unit or a machine
	Task   string // the action, or the command
	Author string
	State  string // pending, done or failed
	Result []byte // JSON
}

func (Operation) kind() *kind { return operation }

func (o Operation) values() []any {
	return []any{
		o.Model, o.ID, int64(o.Epoch), int64(o.Index), micros(o.Asked), micros(o.Ended), o.Kind, o.Target, o.Task, o.Author, o.State, string(o.Result),
	}
}

func (o Operation) size() int { return 100 + len(o.Result) }

// Audit is who asked for what, and what came of it. Rows are only ever added.
// It is a copy to search: what proves itself whole is the controller's own
// audit log.
type Audit struct {
	Source  Source
	At      time.Time
	Who     string
	Method  string
	Model   string
	Outcome string
	Why     string // it was denied, or failed
}

func (Audit) kind() *kind { return auditKind }

func (a Audit) values() []any {
	return []any{a.Source.ID, int64(a.Source.N), micros(a.At), a.Who, a.Method, a.Model, a.Outcome, a.Why}
}

func (a Audit) size() int { return 120 + len(a.Why) }

// Line is a line that an agent or a service wrote.
type Line struct {
	Source  Source
	At      time.Time
	Model   string
	Unit    string // empty: the machine's agent itself
	Machine string
	Origin  string // a service's log by name, or controller
	Level   string
	Text    string
}

func (Line) kind() *kind { return lineKind }

func (l Line) values() []any {
	return []any{l.Source.ID, int64(l.Source.N), micros(l.At), l.Model, l.Unit, l.Machine, l.Origin, l.Level, l.Text}
}

func (l Line) size() int { return 64 + len(l.Text) }

// Gap says what is missing: First and Last are indexes of the log, both zero
// where rows were dropped from the buffer.
type Gap struct {
	Source Source
	At     time.Time
	What   string // events, lines or status
	First  uint64
	Last   uint64
	Lost   uint64 // rows, where it is known
}

func (Gap) kind() *kind { return gapKind }

func (g Gap) values() []any {
	return []any{g.Source.ID, int64(g.Source.N), micros(g.At), g.What, int64(g.First), int64(g.Last), int64(g.Lost)}
}

func (Gap) size() int { return 64 }

// Cursor says how far something has been recorded. It never goes back.
type Cursor struct {
	Name  string
	Index uint64
}

func (Cursor) kind() *kind { return cursorKind }

func (c Cursor) values() []any { return []any{c.Name, int64(c.Index)} }

func (Cursor) size() int { return 16 }

// setting is a choice of an operator about the history itself.
type setting struct{ name, value string }

func (setting) kind() *kind { return settingKind }

func (s setting) values() []any { return []any{s.name, s.value} }

func (s setting) size() int { return 16 + len(s.value) }

// micros is a time as the tables have it; 0 where there is none.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// instant is what micros was made from.
func instant(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}
