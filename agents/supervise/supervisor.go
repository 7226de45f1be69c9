package supervise

import (
	"cmp"
	"context"
	"maps"
	"os"
	"reflect"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

// supervisor is the state of one serve. Only its loop touches the fields below
// inbox; everybody else sends the loop a closure.
type supervisor struct {
	Config
	boot    string
	store   *store
	cgroups *cgroups
	group   *errgroup.Group
	ctx     context.Context // ends when the loop has ended
	inbox   chan func()

	services map[string]*service
	waiters  []waiter
	watchers map[*watcher]bool
	seq      uint64
	shutdown bool
	upgrade  bool
}

// service is a record and what belongs to this run of the supervisor.
type service struct {
	rec   *record
	life  *life   // of rec.Proc while its main process runs
	shown Process // as last told to watchers
	// reload is the pid of a running reload command, or 0.
	reload int
}

// waiter is somebody who waits until done says so; it is asked after every
// change.
type waiter struct {
	done  func() (bool, error)
	reply chan<- error
}

// loop owns the state until all services are stopped or an upgrade is due.
func (s *supervisor) loop(ctx context.Context, signals <-chan os.Signal) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	end := ctx.Done()
	for {
		if wake := s.settle(); wake.IsZero() {
			timer.Stop()
		} else {
			timer.Reset(time.Until(wake))
		}
		s.tell()
		if s.upgrade || s.shutdown && s.quiet() {
			return
		}
		select {
		case f := <-s.inbox:
			f()
			s.drain()
		case <-timer.C:
		case sig := <-signals:
			switch sig {
			case unix.SIGTERM, unix.SIGINT:
				s.shutdown = true
			case unix.SIGCHLD:
				s.reapOrphans()
			}
		case <-end:
			s.shutdown, end = true, nil
		case <-s.ctx.Done(): // another loop of this supervisor failed
			return
		}
	}
}

// drain runs what else has come, so that all services are looked at once for
// all of it.
func (s *supervisor) drain() {
	for range maxBatch {
		select {
		case f := <-s.inbox:
			f()
		default:
			return
		}
	}
}

// settle carries out what decide says until it says stay for all, and returns
// when to look again.
func (s *supervisor) settle() time.Time {
	for {
		var wake time.Time
		acted := false
		var starts []*service
		allowed := modes(s.records(), s.shutdown, s.agentID())
		for _, v := range s.inOrder() {
			now := time.Now()
			st, at := decide(v.rec, allowed[v.rec.Spec.ID], now)
			if st == stay {
				wake = earlier(wake, at)
				continue
			}
			acted = true
			if st == start {
				starts = append(starts, v)
				continue
			}
			s.perform(v, st, now)
		}
		s.launch(starts)
		if !acted {
			return wake
		}
	}
}

// atOnce bounds what waits for the disk and the kernel at once.
const atOnce = 8

// launch starts services side by side: each waits for the disk and for the
// kernel, which moves a process into a group only after all CPUs have agreed.
func (s *supervisor) launch(services []*service) {
	errs := make([]error, len(services))
	var group errgroup.Group
	group.SetLimit(atOnce)
	for i, v := range services {
		group.Go(func() error {
			errs[i] = s.spawn(v)
			return nil
		})
	}
	_ = group.Wait()
	for i, v := range services {
		if errs[i] != nil {
			s.Logger.Error("start failed", "service", v.rec.Spec.ID, "error", errs[i])
			v.rec.startFailed(errs[i].Error(), time.Now(), s.Jitter())
		}
	}
}

// maxBatch bounds what is run before services are looked at again.
const maxBatch = 64

// sweepPause is how often to look whether killed processes are gone; killPause
// how often to kill again.
const (
	sweepPause = 10 * time.Millisecond
	killPause  = time.Second
)

func (s *supervisor) perform(v *service, st step, now time.Time) {
	p := v.rec.Proc
	log := s.Logger.With("service", v.rec.Spec.ID)
	switch st {
	case expire:
		log.Warn("lease ends, stop")
		v.rec.cancel("its lease ended")
	case ask:
		log.Info("stop", "pid", p.PID, "signal", p.StopSignal)
		p.StopAsked, p.Retry = now, now.Add(p.StopTimeout)
		v.life.signal(p.StopSignal)
	case kill:
		log.Warn("kill", "pid", p.PID, "after", now.Sub(p.StopAsked))
		p.Retry = now.Add(killPause)
		s.killRest(p) // first: without a cgroup a dead process's children are not known to be its
		v.life.signal(Signal(unix.SIGKILL))
	case sweep:
		if left := s.killRest(p); left > 0 {
			p.Retry = now.Add(sweepPause)
			return
		}
		if err := p.Group.remove(); err != nil {
			log.Warn("cgroup stays", "error", err)
		}
		v.rec.Proc, v.life = nil, nil
	}
}

// killRest kills every process of p's group and session and says how many it
// found.
func (s *supervisor) killRest(p *proc) int {
	members := p.Group.members()
	if len(members) > 0 {
		p.Group.kill()
	}
	family := p.family(s.boot, allStats())
	killAll(family)
	return len(members) + len(family)
}

// tell saves what changed, and tells watchers and waiters.
func (s *supervisor) tell() {
	all := s.inOrder()
	var saving errgroup.Group
	saving.SetLimit(atOnce)
	for _, v := range all {
		if !s.store.unsaved(v.rec) {
			continue
		}
		saving.Go(func() error {
			if err := s.store.save(v.rec); err != nil {
				s.Logger.Error("a change of a service is not on disk", "service", v.rec.Spec.ID, "error", err)
			}
			return nil
		})
	}
	_ = saving.Wait()
	for _, v := range all {
		s.show(v)
	}
	s.waiters = slices.DeleteFunc(s.waiters, func(w waiter) bool {
		done, err := w.done()
		if done {
			w.reply <- err
		}
		return done
	})
}

func (s *supervisor) show(v *service) {
	d := v.rec.describe()
	d.Since = v.shown.Since
	if reflect.DeepEqual(d, v.shown) {
		return
	}
	if d.State != v.shown.State || d.PID != v.shown.PID {
		d.Since = v.rec.since(time.Now())
	}
	v.shown = d
	for w := range s.watchers {
		w.put(Event{Process: d})
	}
}

// quiet: nothing is running any more.
func (s *supervisor) quiet() bool {
	for _, v := range s.services {
		if v.rec.Proc != nil {
			return false
		}
	}
	return true
}

func (s *supervisor) agentID() string {
	if s.Agent == nil {
		return ""
	}
	return s.Agent.ID
}

func (s *supervisor) inOrder() []*service {
	return slices.SortedFunc(maps.Values(s.services), func(a, b *service) int {
		return cmp.Or(cmp.Compare(a.rec.Seq, b.rec.Seq), cmp.Compare(a.rec.Spec.ID, b.rec.Spec.ID))
	})
}

func (s *supervisor) records() []*record {
	var out []*record
	for _, v := range s.services {
		out = append(out, v.rec)
	}
	return out
}

// post runs f in the loop, unless the supervisor ends first.
func (s *supervisor) post(f func()) {
	select {
	case s.inbox <- f:
	case <-s.ctx.Done():
	}
}

// call runs f in the loop and returns its error.
func (s *supervisor) call(ctx context.Context, f func() error) error {
	reply := make(chan error, 1)
	select {
	case s.inbox <- func() { reply <- f() }:
		return <-reply
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// await returns when done, which is asked in the loop, says so.
func (s *supervisor) await(ctx context.Context, done func() (bool, error)) error {
	reply := make(chan error, 1)
	err := s.call(ctx, func() error {
		s.waiters = append(s.waiters, waiter{done, reply})
		return nil
	})
	if err != nil {
		return err
	}
	select {
	case err := <-reply:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
