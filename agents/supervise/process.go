package supervise

import "time"

// State is where a service stands.
type State string

// The states of a service.
const (
	Running  State = "running"
	Stopping State = "stopping" // asked to end, or its last processes are being killed
	Stopped  State = "stopped"  // ended as asked
	Failed   State = "failed"   // could not be started; Reason says why
	Waiting  State = "backoff"  // wanted, and not running yet or again
)

// Process is what the supervisor knows of one service.
type Process struct {
	ID string `json:"id"`
	// PID, StartTime (clock ticks after boot) and BootID together are the
	// identity of the main process; PID is 0 while there is none.
	PID       int    `json:"pid,omitempty"`
	StartTime uint64 `json:"startTime,omitempty"`
	BootID    string `json:"bootID,omitempty"`

	State State `json:"state"`
	// Reason says why a service is failed, or was stopped by nobody's request.
	Reason string `json:"reason,omitempty"`
	// Since is when State began.
	Since time.Time `json:"since"`
	// Restarts counts the starts that nobody planned, since the service was
	// first known here.
	Restarts int   `json:"restarts"`
	LastExit *Exit `json:"lastExit,omitempty"`
	// SpecHash is the hash of the spec that the process runs under; with no
	// process, of the spec last asked for.
	SpecHash string    `json:"specHash"`
	Lease    time.Time `json:"lease,omitzero"`
	// Lacking lists what the spec asks for and this machine did not allow.
	Lacking []string `json:"lacking,omitempty"`
}

// Exit is how a main process ended.
type Exit struct {
	At   time.Time `json:"at"`
	Code int       `json:"code"`
	// Signal killed the process, unless zero.
	Signal Signal `json:"signal,omitempty"`
	// Unknown: the process was adopted and so its status went to another parent,
	// or it ended while no supervisor ran.
	Unknown bool `json:"unknown,omitempty"`
	// OutOfMemory: the kernel killed something in the service's cgroup.
	OutOfMemory bool `json:"outOfMemory,omitempty"`
}

// Event is one change of a service.
type Event struct {
	Process Process `json:"process"`
	// Removed: the supervisor has forgotten the service.
	Removed bool `json:"removed,omitempty"`
}
