package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/gantry-orchestrator/gantry/agents/unit"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// link is the way to the controller: the session, where there is one.
type link struct {
	mu      sync.Mutex
	session Session
}

func newLink() *link { return &link{} }

func (l *link) set(s Session) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.session = s
}

func (l *link) send(up effect.Upward) error {
	l.mu.Lock()
	s := l.session
	l.mu.Unlock()
	if s == nil {
		return fmt.Errorf("no controller is connected: %w", model.ErrUnavailable)
	}
	return s.Send(up)
}

// connect holds a session, and opens another when it ends.
func (a *agent) connect(ctx context.Context) error {
	const steady = time.Minute // a session that held this long starts the back-off anew
	for n := 1; ctx.Err() == nil; n++ {
		began := time.Now()
		err := a.session(ctx)
		a.setConnected(false)
		if ctx.Err() != nil {
			break
		}
		if time.Since(began) > steady {
			n = 1
		}
		wait := min(unit.Backoff(n), 15*time.Second)
		wait = wait/2 + time.Duration(a.Jitter()*float64(wait/2))
		a.Logger.Warn("no session with a controller", slog.Any("error", err), slog.Duration("again_in", wait))
		if err := pause(ctx, wait); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// session says hello, then beats and takes what comes until either ends.
func (a *agent) session(ctx context.Context) error {
	s, err := a.Controller.Connect(ctx)
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		<-ctx.Done()
		return s.Close()
	})
	group.Go(func() error {
		hello := effect.Hello{Machine: a.Machine, Version: a.Version, Now: time.Now(), Known: a.known(), Host: a.Facts()}
		if err := s.Send(effect.Upward{Hello: &hello}); err != nil {
			return err
		}
		a.link.set(s)
		a.setConnected(true)
		beats := newBeats()
		group.Go(func() error { return beats.run(ctx, s) })
		group.Go(func() error { return a.pulse(ctx, s) })
		for {
			down, err := s.Recv()
			if err != nil {
				return err
			}
			a.receive(down, beats)
		}
	})
	err = group.Wait()
	a.link.set(nil)
	if err == nil {
		err = errors.New("the session ended")
	}
	return err
}

// receive takes a message. An intent that is older than what the unit has may
// come from a controller that was deposed and does not know it yet: it counts
// only once a leader with a quorum has echoed a beat of this session.
func (a *agent) receive(down effect.Downward, beats *beats) {
	for _, in := range down.Set {
		a.setIntent(in, beats.heard)
		if !beats.heard {
			beats.early = append(beats.early, in)
		}
	}
	a.trace(down)
	for _, name := range down.Withdrawn {
		a.withdraw(name)
	}
	if down.Beat != nil {
		if sent, ok := beats.echoed(down.Beat.Serial); ok {
			a.lead(sent.Add(effect.LeaseTerm - effect.LeaseMargin))
			for _, in := range beats.early {
				a.setIntent(in, true)
			}
			beats.heard, beats.early = true, nil
		}
	}
	if down.Operation != nil {
		a.operate(*down.Operation)
	}
}

// setConnected tells the units whether a controller is in reach. To a new one
// everything is said again.
func (a *agent) setConnected(yes bool) {
	a.mu.Lock()
	changed := a.connected != yes
	a.connected = yes
	a.mu.Unlock()
	if !changed {
		return
	}
	for _, u := range a.all() {
		u.post(func() {
			u.state.Connected, u.state.Reported = yes, ""
			clear(u.state.Sent)
			for _, key := range talk {
				delete(u.state.Failures, key)
			}
		})
	}
}

// talk are the keys of actions that fail while no controller is in reach.
var talk = []string{"report", "publish"}

// lead extends what leaders may do, and the leases of services that only run
// under one.
func (a *agent) lead(until time.Time) {
	a.mu.Lock()
	if until.After(a.leadsUntil) {
		a.leadsUntil = until
	}
	a.mu.Unlock()
	for _, u := range a.all() {
		u.post(func() { u.lead(until) })
	}
}

// beats are the beats of one session that were not echoed yet.
type beats struct {
	heard bool            // one was echoed; only the receiver touches it
	early []effect.Intent // that came before; likewise

	mu     sync.Mutex
	serial uint64
	sent   map[uint64]time.Time
}

func newBeats() *beats { return &beats{sent: map[uint64]time.Time{}} }

// unanswered is how long beats may go without an echo before the session is
// given up: its controller hangs, and another may lead by now.
const unanswered = effect.LeaseTerm / 2

// run sends beats. The time of one is taken before it is sent.
func (b *beats) run(ctx context.Context, s Session) error {
	for {
		if b.waiting(time.Now()) > unanswered {
			return fmt.Errorf("the controller has not answered for %v: %w", unanswered, model.ErrUnavailable)
		}
		if err := s.Send(effect.Upward{Beat: &effect.Beat{Serial: b.next(time.Now())}}); err != nil {
			return err
		}
		if err := pause(ctx, effect.BeatInterval); err != nil {
			return err
		}
	}
}

// waiting is how long ago the oldest beat was sent that was not echoed.
func (b *beats) waiting(now time.Time) (longest time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, sent := range b.sent {
		longest = max(longest, now.Sub(sent))
	}
	return longest
}

func (b *beats) next(now time.Time) uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.serial++
	b.sent[b.serial] = now
	return b.serial
}

// echoed returns when the beat was sent, and forgets it and those before it.
func (b *beats) echoed(serial uint64) (time.Time, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	sent, ok := b.sent[serial]
	for n := range b.sent {
		if n <= serial {
			delete(b.sent, n)
		}
	}
	return sent, ok
}
