package effect

import "time"

// Task is a keyed run of a command or Call. Done for (Scope, ID, Key) it
// never reruns, unless its Yields are later known to be false.
type Task struct {
	ID         ID                 `json:"id"`
	Key        string             `json:"key"`
	Scope      Scope              `json:"scope"`
	Run        Exec               `json:"run"`
	Needs      []ProbeID          `json:"needs,omitempty"`  // refreshed before it runs
	Yields     map[ProbeID]string `json:"yields,omitempty"` // postcondition
	After      []ID               `json:"after,omitempty"`
	Turn       *Turn              `json:"turn,omitempty"`
	Idempotent bool               `json:"idempotent,omitempty"`
	Result     ResultKind         `json:"result,omitempty"`
	Undo       *Exec              `json:"undo,omitempty"`
	Timeout    time.Duration      `json:"timeout,omitempty"` // default 60 s
}

// ResultKind says what becomes of a task's output.
type ResultKind string

// The kinds: none, a Record named after the task, or a sealed secret so named.
const (
	NoResult     ResultKind = ""
	PublicResult ResultKind = "public"
	SealedResult ResultKind = "sealed"
)

// Exec is what a task or probe runs: a command, or a named Call of the charm.
// It is data, so that the journal can rerun or undo it.
type Exec struct {
	Command []string           `json:"command,omitempty"`
	Call    string             `json:"call,omitempty"`
	Args    map[string]Content `json:"args,omitempty"` // of a Call
	Env     map[string]Content `json:"env,omitempty"`  // of a command
	Stdin   Content            `json:"stdin,omitempty"`
	User    string             `json:"user,omitempty"`
	Dir     string             `json:"dir,omitempty"`
}

// Turn is permission to disrupt, asked for by an effect that carries it.
type Turn struct {
	Name  string  `json:"name"`
	Limit int     `json:"limit"`           // how many units may be disrupted at once; 0 means 1
	Rank  int     `json:"rank,omitempty"`  // the lowest goes first
	Group string  `json:"group,omitempty"` // units that count together, e.g. a rack
	Clear ProbeID `json:"clear,omitempty"` // released only once this fact is "true"
}

// Probe observes the machine or the workload. Only a debounced change of its
// value wakes Reconcile.
type Probe struct {
	ID       ProbeID       `json:"id"`
	HTTP     *HTTPProbe    `json:"http,omitempty"`
	Exec     *Exec         `json:"exec,omitempty"` // value: its output, trimmed; unknown where it fails
	TCP      string        `json:"tcp,omitempty"`  // host:port; value "true" or "false"
	File     string        `json:"file,omitempty"` // value: its text, trimmed; "" where it does not exist
	Select   []string      `json:"select,omitempty"`
	Interval time.Duration `json:"interval,omitempty"` // default 5 s
	Timeout  time.Duration `json:"timeout,omitempty"`  // default 3 s
	Rise     int           `json:"rise,omitempty"`     // equal readings before a new value counts; default 1
	Fall     int           `json:"fall,omitempty"`     // failed readings before the value is unknown; default 3
}

// HTTPProbe asks an HTTP server. Without Select its value is the status code.
// With Select, dotted paths into a JSON body, it is a JSON object of those
// paths whose values were found.
type HTTPProbe struct {
	URL    string             `json:"url"`
	Method string             `json:"method,omitempty"`
	Header map[string]Content `json:"header,omitempty"`
}
