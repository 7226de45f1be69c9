package supervise

import (
	"cmp"
	"slices"
	"time"
)

// step is one thing to do for one service.
type step int

const (
	stay   step = iota
	expire      // the lease ends: make the service unwanted
	start       // start a process
	ask         // send the stop signal
	kill        // kill all of its processes
	sweep       // main process gone: kill the rest, then forget the process
)

// mode is what the machine as a whole allows a service.
type mode int

const (
	normal mode = iota
	hold        // shutting down, not yet its turn: keep it, start nothing
	halt        // shutting down, its turn: stop it
)

// decide says what to do now for r and, when that is stay, when to look again
// (zero: not before something happens). Each step, once carried out, changes r
// so that decide moves on.
func decide(r *record, m mode, now time.Time) (step, time.Time) {
	p := r.Proc
	up := r.Want && m != halt
	switch {
	case r.Want && !r.Spec.Lease.IsZero() && !now.Before(r.leaseStop()):
		return expire, time.Time{}
	case p == nil && (!up || m == hold):
		return stay, time.Time{}
	case p == nil && now.Before(r.NextStart):
		return stay, earlier(r.NextStart, r.leaseStop())
	case p == nil:
		return start, time.Time{}
	case p.Exited && now.Before(p.Retry):
		return stay, p.Retry
	case p.Exited:
		return sweep, time.Time{}
	case up && p.Round == r.Round && p.StopAsked.IsZero():
		return stay, r.leaseStop()
	case p.StopAsked.IsZero():
		return ask, time.Time{}
	case now.Before(p.Retry):
		return stay, p.Retry
	default:
		return kill, time.Time{}
	}
}

// earlier is the earlier of two times, where zero is never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// modes says what each service is allowed. In a shutdown services stop one by
// one, last started first; the agent goes before all, so that it does not see
// its services fall.
func modes(records []*record, shutdown bool, agent string) map[string]mode {
	out := make(map[string]mode, len(records))
	if !shutdown {
		return out
	}
	order := slices.SortedFunc(slices.Values(records), func(a, b *record) int {
		if a.Spec.ID == agent || b.Spec.ID == agent {
			return cmp.Compare(bit(b.Spec.ID == agent), bit(a.Spec.ID == agent))
		}
		return cmp.Or(cmp.Compare(b.Seq, a.Seq), cmp.Compare(b.Spec.ID, a.Spec.ID))
	})
	next := halt
	for _, r := range order {
		out[r.Spec.ID] = next
		if r.Proc != nil {
			next = hold
		}
	}
	return out
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}
