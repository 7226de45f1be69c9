package operator

import (
	"time"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// HistoryQuery selects from the past of a model. The zero value of a field
// selects everything; the newest Limit are returned, oldest first.
type HistoryQuery struct {
	Model  model.ModelName
	Entity string // such as "unit/postgresql/0"; an application's has its units too
	Since  time.Time
	Until  time.Time
	After  uint64 // index of the log; of events alone
	Follow bool   // of events alone: go on as more are recorded
	Limit  int    // 0 takes the controller's
}

// Past is what the history has of a query, and how far the history can be
// believed.
type Past struct {
	Entries []Entry       `json:"entries"`
	Gaps    []Gap         `json:"gaps,omitempty"` // what is missing in that time
	Health  HistoryHealth `json:"history"`
}

// Entry is one thing that happened.
type Entry struct {
	Time     time.Time `json:"time"`
	Kind     string    `json:"kind"` // change, status or operation
	Index    uint64    `json:"index,omitempty"`
	Revision uint64    `json:"revision,omitempty"`
	Entity   string    `json:"entity,omitempty"`
	By       string    `json:"by,omitempty"`
	Reason   string    `json:"reason,omitempty"`
	What     string    `json:"what"`
}

// PastEvent is one committed change as the history has it.
type PastEvent struct {
	Event
	Time    time.Time `json:"time"`
	Origin  string    `json:"origin"` // operator, solver or agents
	Summary []string  `json:"summary,omitempty"`
	Gap     *Gap      `json:"gap,omitempty"` // instead of a change: some are missing here
}

// StatusEntry is how an entity fared from a time on.
type StatusEntry struct {
	Time    time.Time `json:"time"`
	Entity  string    `json:"entity"`
	Kind    string    `json:"type"` // workload, agent, application or machine
	Status  string    `json:"status"`
	Message string    `json:"message,omitempty"`
	Index   uint64    `json:"index,omitempty"`
}

// Gap is something that the history does not have: indexes of the log, or rows
// that were dropped while it could not be written.
type Gap struct {
	Time  time.Time `json:"time"`
	What  string    `json:"what"` // events, audit, status or lines
	First uint64    `json:"first,omitempty"`
	Last  uint64    `json:"last,omitempty"`
	Lost  uint64    `json:"lost,omitempty"`
}

// HistoryHealth says how far the history is behind.
type HistoryHealth struct {
	Backend string    `json:"backend"` // dqlite or sqlite
	Waiting int       `json:"waiting,omitempty"`
	Dropped uint64    `json:"dropped,omitempty"`
	Trouble string    `json:"trouble,omitempty"` // why it cannot be written
	Since   time.Time `json:"since,omitzero"`
}

// Moment is a time, or the revision of a change and all that followed from it
// until the next. One of the two is set.
type Moment struct {
	Time     time.Time
	Revision uint64
}

// PastStatus is a status as the history has it. Its clock is when it was
// recorded.
type PastStatus struct {
	Status   Status    `json:"status"`
	Recorded time.Time `json:"recorded"` // the newest part of it
}

// Statement is a read of the history's views in SQL.
type Statement struct {
	Model model.ModelName // empty: of all, for administrators of the controller
	SQL   string
}

// ResultSet is what a Statement selected.
type ResultSet struct {
	Columns []string `json:"columns"`
	Rows    [][]any  `json:"rows"`
	Notes   []string `json:"notes,omitempty"` // what was left out
}

// LineQuery selects lines that agents and services wrote.
type LineQuery struct {
	Model    model.ModelName
	Units    []model.UnitName
	Machines []string // UUIDs
	Since    time.Time
	Until    time.Time
	Level    string // this one and more pressing ones
	Origin   string // a service by its id, or controller
	Match    string // part of the text
	Limit    int
}

// PastLines are lines as the history has them, oldest first.
type PastLines struct {
	Lines []effect.LogLine `json:"lines"`
	Gaps  []Gap            `json:"gaps,omitempty"`
}

// Retention says how long and how much history is kept. As a change, a zero
// field stays as it is.
type Retention struct {
	Events  time.Duration `json:"events,omitempty"` // and operations
	Status  time.Duration `json:"status,omitempty"` // and what status --at needs
	Lines   time.Duration `json:"lines,omitempty"`
	Audit   time.Duration `json:"audit,omitempty"`
	SizeMiB int           `json:"size_mib,omitempty"`
}
