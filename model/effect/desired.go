package effect

import (
	"time"

	"github.com/gantry-orchestrator/gantry/model"
)

// ID names an effect inside its unit, e.g. "file/patroni.yml". It is stable:
// a new ID is a new effect, and the old one is undone.
type ID string

// ProbeID names a probe inside its unit, e.g. "patroni/role".
type ProbeID string

// Desired is everything that there should be for one unit. What leaves it is
// undone in reverse order.
type Desired struct {
	Packages []Package    `json:"packages,omitempty"`
	Software []Software   `json:"software,omitempty"`
	Files    []File       `json:"files,omitempty"`
	Volumes  []Volume     `json:"volumes,omitempty"`
	Services []Service    `json:"services,omitempty"`
	Tasks    []Task       `json:"tasks,omitempty"`
	Probes   []Probe      `json:"probes,omitempty"`
	Bags     []Bag        `json:"bags,omitempty"`
	Records  []Record     `json:"records,omitempty"` // proposals; the first commit wins
	Secrets  []SecretSpec `json:"secrets,omitempty"`
	Holds    []Hold       `json:"holds,omitempty"`
	Status   model.Status `json:"status"`
	Version  string       `json:"version,omitempty"` // of the workload, for status
	Ports    []Port       `json:"ports,omitempty"`
	Partial  string       `json:"partial,omitempty"` // why the rest is not known yet: add and change, undo nothing, drop no key
	Revisit  time.Time    `json:"revisit,omitzero"`  // ask again then, though nothing changed
	Reached  string       `json:"reached,omitempty"` // stage of the open order that the unit has carried out
}

// Port is where a unit serves.
type Port struct {
	Number   int    `json:"number"`
	Protocol string `json:"protocol"` // tcp or udp
}

// Package is a package of the machine's distribution, users and all.
type Package struct {
	ID      ID     `json:"id"`
	Name    string `json:"name"`
	Version string `json:"version,omitempty"` // exact; empty takes the one recorded for the application
}

// File is a file or a directory. It never implies a restart.
type File struct {
	ID      ID      `json:"id"`
	Path    string  `json:"path"`
	Dir     bool    `json:"dir,omitempty"`
	Mode    uint32  `json:"mode"` // permission bits
	Owner   string  `json:"owner,omitempty"`
	Group   string  `json:"group,omitempty"`
	Content Content `json:"content,omitempty"`
	After   []ID    `json:"after,omitempty"`
}

// Content is text with secrets in it by handle; the agent fills them in.
type Content []Segment

// Segment is a piece of content: text, or a field of a secret.
type Segment struct {
	Text   string     `json:"text,omitempty"`
	Secret *SecretRef `json:"secret,omitempty"`
}

// Encoding says how a secret's bytes are written into content.
type Encoding string

// The encodings.
const (
	Raw    Encoding = ""
	Base64 Encoding = "base64"
	URL    Encoding = "url"   // percent-escaped
	Quoted Encoding = "quote" // a JSON string, which YAML reads too
	SQL    Encoding = "sql"   // an SQL string literal
)

// SecretRef points at one field of a secret.
type SecretRef struct {
	ID       string   `json:"id"` // "secret:" + 32 hex digits
	Revision int      `json:"revision,omitempty"`
	Field    string   `json:"field"`
	Encoding Encoding `json:"encoding,omitempty"`
}

// Secret is a handle that a unit may read: never the bytes.
type Secret struct {
	ID       string                `json:"id"`
	Name     string                `json:"name"` // unique for its owner
	Scope    Scope                 `json:"scope"`
	Owner    model.ApplicationName `json:"owner"`
	Unit     model.UnitName        `json:"unit,omitzero"` // of scope Unit
	Revision int                   `json:"revision"`      // the current one
	Fields   []string              `json:"fields"`
}

// SecretSpec asks for a secret: the agent makes the bytes, the first commit
// wins, and Spec.Secrets then has the handle.
type SecretSpec struct {
	Name   string                 `json:"name"`
	Scope  Scope                  `json:"scope"`
	Fields map[string]SecretField `json:"fields"`
	Grants []model.RelationID     `json:"grants,omitempty"` // whose remote units may read it
}

// SecretField is how one field's bytes are made: random, or from content.
type SecretField struct {
	Random  int     `json:"random,omitempty"` // length, of letters and digits
	Content Content `json:"content,omitempty"`
}

// Volume is a data directory with its incarnation stamped on it. Data is
// destroyed only under a Warrant: the old directory is renamed aside first.
type Volume struct {
	ID          ID     `json:"id"`
	Path        string `json:"path"`
	Mode        uint32 `json:"mode"`
	Owner       string `json:"owner,omitempty"`
	Group       string `json:"group,omitempty"`
	Incarnation string `json:"incarnation"`
	After       []ID   `json:"after,omitempty"`
}

// Scope says for whom a task, record or secret is done once.
type Scope string

// The scopes.
const (
	UnitScope        Scope = "unit"
	MachineScope     Scope = "machine"
	ApplicationScope Scope = "application"
)

// Service is a supervised process.
type Service struct {
	ID            ID                `json:"id"`
	Command       []string          `json:"command"`
	Env           map[string]string `json:"env,omitempty"`
	Dir           string            `json:"dir,omitempty"`
	User          string            `json:"user,omitempty"`
	Group         string            `json:"group,omitempty"`
	Stopped       bool              `json:"stopped,omitempty"`        // it is ours, and should not run now
	RestartOn     []ID              `json:"restart_on,omitempty"`     // effects whose change restarts it
	ReloadOn      []ID              `json:"reload_on,omitempty"`      // effects whose change reloads it
	ReloadSignal  string            `json:"reload_signal,omitempty"`  // default SIGHUP
	ReloadCommand []string          `json:"reload_command,omitempty"` // instead of a signal
	StopSignal    string            `json:"stop_signal,omitempty"`    // default SIGTERM
	StopTimeout   time.Duration     `json:"stop_timeout,omitempty"`   // then SIGKILL; default 10 s
	Health        ProbeID           `json:"health,omitempty"`         // healthy while its value is Healthy
	Healthy       string            `json:"healthy,omitempty"`        // default "true"
	Window        time.Duration     `json:"window,omitempty"`         // without a restart before it counts as settled
	Uses          []ID              `json:"uses,omitempty"`           // packages, files, volumes and tasks that it needs first
	Volume        ID                `json:"volume,omitempty"`         // never started on another incarnation
	Lease         bool              `json:"lease,omitempty"`          // stopped before leadership's lease ends
	Limits        Limits            `json:"limits,omitzero"`
	Turn          *Turn             `json:"turn,omitempty"` // that a restart or stop needs
}

// Limits bound a service. Zero means no bound.
type Limits struct {
	MemoryMiB  int `json:"memory_mib,omitempty"`
	CPUPercent int `json:"cpu_percent,omitempty"` // of one core
	Files      int `json:"files,omitempty"`
	Processes  int `json:"processes,omitempty"`
}

// Bag is what the unit, or its application, publishes in a relation. After
// holds the keys back until those effects are done. An application's bag
// counts only from its leader.
type Bag struct {
	Relation    model.RelationID  `json:"relation"`
	Application bool              `json:"application,omitempty"`
	Data        map[string]string `json:"data"`
	After       []ID              `json:"after,omitempty"`
}

// Record is a value that is written once, first commit wins.
type Record struct {
	Name  string `json:"name"`
	Scope Scope  `json:"scope"` // unit or application
	Value string `json:"value"`
}

// Hold is a refusal to let a subject leave yet.
type Hold struct {
	Subject  model.UnitName `json:"subject"`
	Reason   string         `json:"reason"`
	Progress string         `json:"progress,omitempty"` // a change of it starts the deadline anew
}
