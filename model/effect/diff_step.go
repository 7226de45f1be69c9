package effect

// StepKind says what a step does to its effect.
type StepKind string

// The kinds of step. A performer does each idempotently: done twice it comes
// to the same.
const (
	Install  StepKind = "install"  // a package, at the effect's version where it has one, or software
	Write    StepKind = "write"    // a file or directory
	Stamp    StepKind = "stamp"    // make a volume's directory and stamp it, or set its mode and owner
	Wipe     StepKind = "wipe"     // warranted: set the data aside, stamp an empty directory
	Start    StepKind = "start"    // a service that does not run
	Restart  StepKind = "restart"  // a service that runs
	Reload   StepKind = "reload"   // a service that runs: it reads its files again
	Update   StepKind = "update"   // what is kept of an effect; nothing that runs or is written changes
	Stop     StepKind = "stop"     // a service that stays ours
	Run      StepKind = "run"      // a task
	Conclude StepKind = "conclude" // a task that was cut short: its Yields show that it is done
	Undo     StepKind = "undo"     // a task, by its Undo
	Publish  StepKind = "publish"  // a bag
	Propose  StepKind = "propose"  // a record
	Mint     StepKind = "mint"     // a secret
	Remove   StepKind = "remove"   // a package, software, file or service that left: stop it, put back what was before
	Release  StepKind = "release"  // a volume that left: its data stays
	Destroy  StepKind = "destroy"  // warranted: a volume that left goes with its data
)

// Step is one thing to do.
type Step struct {
	Kind     StepKind      `json:"kind"`
	ID       ID            `json:"id"`
	Effect   Effect        `json:"effect"` // as it is to be; as it was, in a step that undoes
	Why      string        `json:"why"`
	After    []string      `json:"after,omitempty"`    // names of steps that must be done before
	Disrupts bool          `json:"disrupts,omitempty"` // interrupts what runs
	Destroys bool          `json:"destroys,omitempty"` // loses data
	Turn     *Turn         `json:"turn,omitempty"`     // that must be held
	Loaded   map[ID]string `json:"loaded,omitempty"`   // of a service: what it has read once the step is done
}

// Name identifies a step within its difference, e.g. "restart service/patroni".
func (s Step) Name() string { return string(s.Kind) + " " + string(s.ID) }

// Undoes reports whether the step takes away what left Desired.
func (s Step) Undoes() bool {
	switch s.Kind {
	case Undo, Remove, Release, Destroy:
		return true
	default:
		return false
	}
}

// Obstacle is why an effect gets no step now.
type Obstacle struct {
	ID     ID     `json:"id"`
	Reason string `json:"reason"`
	Person bool   `json:"person,omitempty"` // a person must act: the unit is Blocked; otherwise it waits
}

// Difference is what lies between a host and a Desired. It is settled when it
// is empty.
type Difference struct {
	Steps     []Step     `json:"steps,omitempty"` // in an order that keeps every After
	Obstacles []Obstacle `json:"obstacles,omitempty"`
}

// Settled reports whether there is nothing to do and nothing in the way.
func (d Difference) Settled() bool { return len(d.Steps) == 0 && len(d.Obstacles) == 0 }
