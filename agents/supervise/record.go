package supervise

import (
	"math"
	"slices"
	"time"
)

// record is all that survives the supervisor about one service.
type record struct {
	Spec Spec   `json:"spec"` // with defaults; what is wanted
	Hash string `json:"hash"`
	Want bool   `json:"want"`
	// Round rises with every planned start. A process of an earlier round is
	// stopped and replaced.
	Round int `json:"round"`
	// Proven is the last round in which the program could be started.
	Proven int `json:"proven"`
	// Seq orders the services by their last planned start.
	Seq uint64 `json:"seq"`

	Restarts  int       `json:"restarts"`
	Streak    int       `json:"streak"`  // unplanned ends in a row, each soon after its start
	Crashed   bool      `json:"crashed"` // the next start is an unplanned one
	NextStart time.Time `json:"nextStart,omitzero"`
	Failure   string    `json:"failure,omitempty"` // why the last start did not come about
	Reason    string    `json:"reason,omitempty"`  // why it stopped, when nobody asked
	LastExit  *Exit     `json:"lastExit,omitempty"`
	Lacking   []string  `json:"lacking,omitempty"`
	Proc      *proc     `json:"proc,omitempty"`
}

// proc is one life of a service: its main process and what that left behind.
type proc struct {
	Identity
	Group       group         `json:"group,omitzero"`
	Limits      Limits        `json:"limits,omitzero"`
	Hash        string        `json:"hash"`
	Round       int           `json:"round"`
	StopSignal  Signal        `json:"stopSignal"`
	StopTimeout time.Duration `json:"stopTimeout"`
	Started     time.Time     `json:"started"`
	// Ready: the program runs. Before that it is still the stage of child.go.
	Ready bool `json:"ready"`
	// Exited: the main process is gone, others of its group may not be.
	Exited bool `json:"exited"`
	// StopAsked is when the stop signal was sent; Retry when to act next.
	StopAsked time.Time `json:"stopAsked,omitzero"`
	Retry     time.Time `json:"retry,omitzero"`
}

// Identity tells one process from every other that this machine ever had.
type Identity struct {
	PID       int    `json:"pid"`
	StartTime uint64 `json:"startTime"`
	BootID    string `json:"bootID"`
}

func (r *record) state() State {
	p := r.Proc
	switch {
	case p != nil && !p.StopAsked.IsZero():
		return Stopping
	case p != nil && p.Ready && !p.Exited:
		return Running
	case r.Failure != "":
		return Failed
	case r.Want:
		return Waiting
	case p != nil:
		return Stopping // given up, and not swept yet
	default:
		return Stopped
	}
}

// describe gives the process as others see it; Since is kept by the caller.
func (r *record) describe() Process {
	d := Process{
		ID: r.Spec.ID, State: r.state(), Reason: r.Reason, Restarts: r.Restarts, LastExit: r.LastExit,
		SpecHash: r.Hash, Lease: r.Spec.Lease, Lacking: slices.Clone(r.Lacking),
	}
	if r.Failure != "" {
		d.Reason = r.Failure
	}
	if p := r.Proc; p != nil {
		d.SpecHash = p.Hash
		if p.Ready && !p.Exited {
			d.PID, d.StartTime, d.BootID = p.PID, p.StartTime, p.BootID
		}
	}
	return d
}

// since is the best that a record knows of when its state began.
func (r *record) since(now time.Time) time.Time {
	switch {
	case r.Proc != nil && !r.Proc.StopAsked.IsZero():
		return r.Proc.StopAsked
	case r.state() == Running:
		return r.Proc.Started
	case r.LastExit != nil:
		return r.LastExit.At
	}
	return now
}

// leaseMargin is how long before the end of a lease the last process is killed.
const leaseMargin = 500 * time.Millisecond

// leaseStop is when stopping must begin so that it is over before the lease.
func (r *record) leaseStop() time.Time {
	if r.Spec.Lease.IsZero() {
		return time.Time{}
	}
	return r.Spec.Lease.Add(-r.Spec.StopTimeout - leaseMargin)
}

// plan makes spec the wanted one, to be started anew.
func (r *record) plan(spec Spec, seq uint64) {
	r.Spec, r.Hash, r.Want, r.Seq = spec, spec.Hash(), true, seq
	r.Round++
	r.Streak, r.Crashed, r.NextStart, r.Failure, r.Reason = 0, false, time.Time{}, "", ""
}

// cancel makes the service unwanted.
func (r *record) cancel(reason string) {
	r.Want, r.Crashed, r.NextStart, r.Failure, r.Reason = false, false, time.Time{}, "", reason
}

// ready notes that the program runs.
func (r *record) ready(lacking []string) {
	r.Proc.Ready, r.Proven, r.Failure = true, r.Proc.Round, ""
	if r.Crashed {
		r.Restarts++
		r.Crashed = false
	}
	r.Lacking = append(r.Lacking, lacking...)
}

// exited notes the end of the main process. jitter is from [0, 1).
func (r *record) exited(e Exit, jitter float64) {
	p := r.Proc
	p.Exited, p.Retry = true, time.Time{}
	r.LastExit = &e
	if !r.Want || !p.StopAsked.IsZero() || p.Round != r.Round {
		return
	}
	if e.At.Sub(p.Started) >= r.Spec.Backoff.Max {
		r.Streak = 0
	}
	r.Streak++
	r.Crashed = true
	r.NextStart = e.At.Add(pause(r.Spec.Backoff, r.Streak, jitter))
}

// rebooted notes that the machine started anew and no process is left. What ran
// under a lease waits to be asked for: nobody knows who holds the lease now.
func (r *record) rebooted() {
	r.Proc, r.Streak, r.NextStart = nil, 0, time.Time{}
	if r.Want && !r.Spec.Lease.IsZero() {
		r.cancel("the machine was restarted under its lease")
	}
}

// startFailed notes that no process came about. A planned start is then given
// up, for its caller hears of it; what has run before is tried again.
func (r *record) startFailed(why string, now time.Time, jitter float64) {
	r.Failure = why
	if r.Proven != r.Round {
		r.Want = false
		return
	}
	r.Streak++
	r.NextStart = now.Add(pause(r.Spec.Backoff, r.Streak, jitter))
}

// pause is the time before the nth unplanned restart in a row: Min doubled
// n-1 times up to Max, of which a random half keeps services apart.
func pause(b Backoff, n int, jitter float64) time.Duration {
	d := float64(b.Min) * math.Pow(2, float64(max(n, 1)-1))
	d = min(d, float64(b.Max))
	return time.Duration(d/2 + d/2*jitter)
}
