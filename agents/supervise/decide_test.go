package supervise

import (
	"testing"
	"time"
)

var t0 = time.Unix(1_000_000, 0)

func rec(change func(*record)) *record {
	r := &record{Spec: Spec{ID: "a", StopTimeout: 10 * time.Second, Backoff: Backoff{Min: time.Second, Max: 8 * time.Second}}, Want: true, Round: 2}
	if change != nil {
		change(r)
	}
	return r
}

func TestDecide(t *testing.T) {
	lives := func(r *record) { r.Proc = &proc{Round: 2, StopTimeout: 10 * time.Second} }
	for name, c := range map[string]struct {
		change func(*record)
		mode   mode
		want   step
		wake   time.Duration // after t0; 0: never
	}{
		"a wanted service without a process is started":  {nil, normal, start, 0},
		"an unwanted service without a process is left":  {func(r *record) { r.Want = false }, normal, stay, 0},
		"a service in backoff waits for its next start":  {func(r *record) { r.NextStart = t0.Add(time.Second) }, normal, stay, time.Second},
		"a backoff that is over starts":                  {func(r *record) { r.NextStart = t0 }, normal, start, 0},
		"a running service is left":                      {lives, normal, stay, 0},
		"a running service that is unwanted is asked":    {func(r *record) { lives(r); r.Want = false }, normal, ask, 0},
		"a process of an earlier round is asked to stop": {func(r *record) { lives(r); r.Proc.Round = 1 }, normal, ask, 0},
		"a service that was asked has its time": {
			func(r *record) { lives(r); r.Want = false; r.Proc.StopAsked, r.Proc.Retry = t0, t0.Add(5) }, normal, stay, 5,
		},
		"a service that does not stop in time is killed": {
			func(r *record) { lives(r); r.Want = false; r.Proc.StopAsked, r.Proc.Retry = t0, t0 }, normal, kill, 0,
		},
		"a stop that has begun is finished though the service is wanted again": {
			func(r *record) { lives(r); r.Proc.StopAsked, r.Proc.Retry = t0, t0 }, normal, kill, 0,
		},
		"what a dead process left is swept before all else": {func(r *record) { lives(r); r.Proc.Exited = true }, normal, sweep, 0},
		"a sweep is repeated after a pause": {
			func(r *record) { lives(r); r.Proc.Exited, r.Proc.Retry = true, t0.Add(7) }, normal, stay, 7,
		},
		"a lease that is far wakes when stopping must begin": {
			func(r *record) { lives(r); r.Spec.Lease = t0.Add(time.Minute) }, normal, stay, time.Minute - 10*time.Second - leaseMargin,
		},
		"a lease that leaves just the time to stop expires": {
			func(r *record) { lives(r); r.Spec.Lease = t0.Add(10*time.Second + leaseMargin) }, normal, expire, 0,
		},
		"a service in backoff expires too": {
			func(r *record) { r.Spec.Lease, r.NextStart = t0.Add(time.Second), t0.Add(time.Hour) }, normal, expire, 0,
		},
		"a service in backoff wakes for its lease": {
			func(r *record) { r.Spec.Lease, r.NextStart = t0.Add(time.Minute), t0.Add(time.Hour) }, normal, stay, time.Minute - 10*time.Second - leaseMargin,
		},
		"a stopped service ignores its lease":                 {func(r *record) { r.Want, r.Spec.Lease = false, t0 }, normal, stay, 0},
		"a shutdown keeps a service whose turn has not come":  {lives, hold, stay, 0},
		"a shutdown starts nothing":                           {nil, hold, stay, 0},
		"a shutdown stops a service whose turn it is":         {lives, halt, ask, 0},
		"a shutdown does not start a service that it stopped": {nil, halt, stay, 0},
	} {
		t.Run(name, func(t *testing.T) {
			var wake time.Time
			if c.wake != 0 {
				wake = t0.Add(c.wake)
			}
			if got, at := decide(rec(c.change), c.mode, t0); got != c.want || !at.Equal(wake) {
				t.Errorf("step %d at %v, want %d at %v", got, at, c.want, wake)
			}
		})
	}
}

func TestShutdownStopsTheAgentThenTheLastStartedFirst(t *testing.T) {
	var records []*record
	for i, id := range []string{"agent", "first", "second", "third"} {
		records = append(records, &record{Spec: Spec{ID: id}, Seq: uint64(i), Proc: &proc{}})
	}
	if m := modes(records, false, "agent"); len(m) != 0 {
		t.Errorf("without a shutdown: %v", m)
	}
	for _, turn := range []string{"agent", "third", "second", "first"} {
		for id, m := range modes(records, true, "agent") {
			if (m == halt) != (id == turn) && procOf(records, id) != nil {
				t.Errorf("in the turn of %s, %s has mode %d", turn, id, m)
			}
		}
		for _, r := range records {
			if r.Spec.ID == turn {
				r.Proc = nil
			}
		}
	}
}

func procOf(records []*record, id string) *proc {
	for _, r := range records {
		if r.Spec.ID == id {
			return r.Proc
		}
	}
	return nil
}

func TestPauseDoublesUpToItsBoundWithAHalfAtRandom(t *testing.T) {
	b := Backoff{Min: time.Second, Max: 8 * time.Second}
	for n, want := range map[int]time.Duration{0: 1, 1: 1, 2: 2, 3: 4, 4: 8, 5: 8, 5000: 8} {
		if low, high := pause(b, n, 0), pause(b, n, 1); high != want*time.Second || low != high/2 {
			t.Errorf("restart %d after %v to %v, want up to %v", n, low, high, want*time.Second)
		}
	}
}

func TestEndOfAProcess(t *testing.T) {
	for name, c := range map[string]struct {
		change  func(*record)
		streak  int
		crashed bool
		next    time.Duration
	}{
		"nobody planned is a crash":                    {func(*record) {}, 1, true, time.Second},
		"soon after the last is paused for longer":     {func(r *record) { r.Streak = 2 }, 3, true, 4 * time.Second},
		"after a long run begins a new streak":         {func(r *record) { r.Streak, r.Proc.Started = 9, t0.Add(-8*time.Second) }, 1, true, time.Second},
		"that was asked for is none":                   {func(r *record) { r.Proc.StopAsked = t0 }, 0, false, 0},
		"that is not wanted any more is none":          {func(r *record) { r.Want = false }, 0, false, 0},
		"of an earlier round is none":                  {func(r *record) { r.Proc.Round = 1 }, 0, false, 0},
		"asked for does not wait before a new start":   {func(r *record) { r.Proc.StopAsked, r.Proc.Round = t0, 1 }, 0, false, 0},
		"during the first pause counts from the start": {func(r *record) { r.Proc.Started = t0.Add(-time.Second) }, 1, true, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			r := rec(func(r *record) { r.Proc = &proc{Round: 2, Started: t0}; c.change(r) })
			r.exited(Exit{At: t0}, 1)
			var next time.Time
			if c.next != 0 {
				next = t0.Add(c.next)
			}
			if r.Streak != c.streak || r.Crashed != c.crashed || !r.NextStart.Equal(next) || !r.Proc.Exited {
				t.Errorf("streak %d, crashed %v, next %v", r.Streak, r.Crashed, r.NextStart)
			}
		})
	}
}

func TestFailedStart(t *testing.T) {
	r := rec(nil)
	r.startFailed("no program", t0, 1)
	if r.Want || r.state() != Failed || r.describe().Reason != "no program" {
		t.Errorf("a planned start is not given up: %+v", r)
	}
	r = rec(func(r *record) { r.Proven, r.Crashed, r.Streak = 2, true, 1 })
	r.startFailed("no program", t0, 1)
	if !r.Want || r.state() != Failed || !r.NextStart.Equal(t0.Add(2*time.Second)) {
		t.Errorf("what has run before is not tried again: %+v", r)
	}
	r.Proc = &proc{Round: 2}
	if r.state() == Running {
		t.Error("the stage passes for the service")
	}
	r.ready(nil)
	if r.state() != Running || r.Restarts != 1 || r.Failure != "" {
		t.Errorf("running again: %+v", r)
	}
}

func TestAfterARebootOnlyWhatHasNoLeaseStarts(t *testing.T) {
	for leased, want := range map[bool]bool{false: true, true: false} {
		r := rec(func(r *record) { r.Proc = &proc{Round: 2}; r.Streak = 3 })
		if leased {
			r.Spec.Lease = t0.Add(time.Hour)
		}
		r.rebooted()
		if r.Proc != nil || r.Want != want || r.Crashed {
			t.Errorf("leased %v: %+v", leased, r)
		}
	}
}

func TestLeaseIsFixedToTheMonotonicClock(t *testing.T) {
	s := Spec{ID: "a", StopTimeout: time.Second, Lease: time.Now().Add(time.Minute).Round(0)}
	now := time.Now()
	if err := fixLease(&s, now); err != nil {
		t.Fatal(err)
	}
	if s.Lease == s.Lease.Round(0) {
		t.Error("the lease has no monotonic reading")
	}
	if left := s.Lease.Sub(now); left < 59*time.Second || left > time.Minute {
		t.Errorf("%v left of a minute", left)
	}
}
