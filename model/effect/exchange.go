package effect

import (
	"time"

	"github.com/gantry-orchestrator/gantry/model"
)

// Hello opens an agent's session: what it already carries out, so that it is
// sent only what differs.
type Hello struct {
	Machine string    `json:"machine"` // UUID; must be that of the certificate
	Version string    `json:"version"` // of gantry
	Now     time.Time `json:"now"`     // the agent's clock, for the skew
	Known   []Known   `json:"known,omitempty"`
	Host    HostFacts `json:"host"`
}

// Known is the last intent of a unit that an agent acknowledged.
type Known struct {
	Unit       model.UnitName `json:"unit"`
	Generation uint64         `json:"generation"`
	Hash       string         `json:"hash"`
	Serial     uint64         `json:"serial"`
}

// HostFacts is what a machine offers.
type HostFacts struct {
	Hostname  string   `json:"hostname"`
	Address   string   `json:"address"`
	Arch      string   `json:"arch"`
	Cores     int      `json:"cores"`
	MemoryMiB int      `json:"memory_mib"`
	DiskMiB   int      `json:"disk_mib"` // free
	BootID    string   `json:"boot_id"`
	Lacks     []string `json:"lacks,omitempty"` // what the agent cannot do here, and why
}

// Upward is what an agent sends on its session: one of the fields.
type Upward struct {
	Hello   *Hello    `json:"hello,omitempty"` // first, and once
	Beat    *Beat     `json:"beat,omitempty"`
	Reports []Report  `json:"reports,omitempty"`
	Logs    []LogLine `json:"logs,omitempty"`
	Pulse   *Pulse    `json:"pulse,omitempty"`
	Spans   []Span    `json:"spans,omitempty"` // of what was asked for with a Trace
}

// Beat keeps leadership: an agent whose Beat, sent at Sent by its monotonic
// clock, was echoed may lead until Sent plus LeaseTerm.
type Beat struct {
	Serial uint64 `json:"serial"`
}

// Terms of leadership. A controller moves a lease only when it has heard no
// beat of the holder for LeaseTerm by its own clock; an agent stops leading
// LeaseMargin earlier, from when it sent the last beat that was echoed.
const (
	BeatInterval = 2 * time.Second
	LeaseTerm    = 10 * time.Second
	LeaseMargin  = 2 * time.Second
)

// LogLine is a line of a unit's or of the agent's log.
type LogLine struct {
	Time    time.Time      `json:"time"`
	Unit    model.UnitName `json:"unit,omitzero"` // zero: the machine agent itself
	Machine string         `json:"machine,omitempty"`
	Source  string         `json:"source"` // agent, or a service's id
	Level   string         `json:"level,omitempty"`
	Text    string         `json:"text"`
}

// OperationKind says what an operation runs.
type OperationKind string

// The kinds of operation.
const (
	ActionOperation OperationKind = "action"
	ExecOperation   OperationKind = "exec"
	// ResolveOperation says how a unit's task ended whose run was cut short:
	// Action is the task's ID, Params["done"] false has it run again.
	ResolveOperation OperationKind = "resolve"
)

// Operation is one run of an action, or of an operator's command, on a unit
// or on a machine.
type Operation struct {
	ID      string            `json:"id"`
	Kind    OperationKind     `json:"kind"`
	Unit    model.UnitName    `json:"unit,omitzero"`
	Machine model.MachineName `json:"machine,omitempty"` // for exec on a machine
	Action  string            `json:"action,omitempty"`
	Params  map[string]any    `json:"params,omitempty"`
	Command []string          `json:"command,omitempty"` // of exec
	Timeout time.Duration     `json:"timeout,omitempty"`
	Asked   time.Time         `json:"asked,omitzero"` // tells it from one of the same ID before a restore
}

// OperationResult is how an operation ended.
type OperationResult struct {
	ID     string            `json:"id"`
	Failed string            `json:"failed,omitempty"` // why; empty on success
	Code   int               `json:"code"`             // exit code of exec
	Output map[string]string `json:"output,omitempty"`
	Stdout string            `json:"stdout,omitempty"`
	Stderr string            `json:"stderr,omitempty"`
	// Truncated says what of the streams is missing; empty where nothing is.
	Truncated string `json:"truncated,omitempty"`
}

// Publication is what a unit asks to have committed. Bags replace the unit's
// (or, from the leader, its application's) whole bag in that relation.
type Publication struct {
	Unit     model.UnitName    `json:"unit"`
	Token    uint64            `json:"token,omitempty"` // of leadership, where Application bags or records are in it
	Bags     []Bag             `json:"bags,omitempty"`
	Records  []Record          `json:"records,omitempty"`
	Versions map[string]string `json:"versions,omitempty"` // packages as installed, where none was recorded
}

// NewSecret is a secret with its bytes, made by an agent; state keeps it
// sealed.
type NewSecret struct {
	Unit   model.UnitName     `json:"unit"`
	Token  uint64             `json:"token,omitempty"`
	Name   string             `json:"name"`
	Scope  Scope              `json:"scope"`
	Fields map[string][]byte  `json:"fields"`
	Grants []model.RelationID `json:"grants,omitempty"`
}

// Claim asks to run an Application task: made only by the leader, one open
// claim for (application, Task, Key), the answer is its token. What is done is
// claimed again only by naming the claim under which it was, as whose outcome
// is known to hold no longer.
type Claim struct {
	Unit       model.UnitName `json:"unit"`
	Task       string         `json:"task"`
	Key        string         `json:"key"`
	Token      uint64         `json:"token"`                // of leadership
	Supersedes uint64         `json:"supersedes,omitempty"` // token of the done claim whose Yields are known to be false
	Deadline   time.Duration  `json:"deadline"`             // from now, after which it counts as lost
}

// ClaimResult closes a claim. A lower token than the claim's is refused.
type ClaimResult struct {
	Unit   model.UnitName    `json:"unit"`
	Task   string            `json:"task"`
	Key    string            `json:"key"`
	Token  uint64            `json:"token"` // of the claim
	Failed string            `json:"failed,omitempty"`
	Public string            `json:"public,omitempty"` // becomes a Record named after the task
	Sealed map[string][]byte `json:"sealed,omitempty"` // becomes a secret named after the task
}

// Invocation is what runs a charm's Call or action: values, secrets opened.
type Invocation struct {
	Name  string            `json:"name"`
	Args  map[string]string `json:"args,omitempty"`
	Token uint64            `json:"token,omitempty"` // fences application-scope effects
	Input Input             `json:"input"`
}
