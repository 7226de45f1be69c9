package supervise

import (
	"fmt"
	"os"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// load reads the services of the supervisor before this one, adopts those of
// their processes that live, and adds the agent.
func (s *supervisor) load() error {
	records, damaged, err := s.store.load()
	if err != nil {
		return err
	}
	for _, err := range damaged {
		s.Logger.Error("a service is lost; its file is kept as *.bad", "error", err)
	}
	for _, r := range records {
		v := &service{rec: r}
		s.services[r.Spec.ID] = v
		s.seq = max(s.seq, r.Seq)
		s.adopt(v)
	}
	if s.Agent != nil {
		s.keepAgent(s.Agent.withDefaults())
	}
	for _, v := range s.services {
		v.shown = v.rec.describe()
		v.shown.Since = v.rec.since(time.Now())
	}
	return nil
}

// adopt goes on with the process that v's record names, if it is still the one.
func (s *supervisor) adopt(v *service) {
	p := v.rec.Proc
	log := s.Logger.With("service", v.rec.Spec.ID)
	switch {
	case p == nil || p.Exited:
	case p.BootID != s.boot:
		log.Info("machine was restarted")
	default:
		l, err := s.reopen(p)
		if err == nil {
			log.Info("adopted", "pid", p.PID)
			v.life = l
			if !p.Ready {
				v.rec.ready(p.Group.finish(p.Limits))
			}
			s.group.Go(func() error { return s.follow(v, p, l, nil) })
			return
		}
		log.Warn("ended while no supervisor ran", "pid", p.PID, "error", err)
		v.rec.exited(Exit{At: time.Now(), Unknown: true, OutOfMemory: p.Group.outOfMemory()}, s.Jitter())
	}
	if p != nil && p.BootID != s.boot {
		v.rec.rebooted()
	}
}

// reopen gets hold of a process by identity. The identity is checked after the
// pidfd is open, so the pid cannot change its meaning in between.
func (s *supervisor) reopen(p *proc) (*life, error) {
	fd, err := unix.PidfdOpen(p.PID, 0)
	if err != nil {
		return nil, fmt.Errorf("open process %d: %w", p.PID, err)
	}
	l, err := newLife(fd)
	if err != nil {
		return nil, err
	}
	if !p.alive(s.boot) {
		l.close()
		_, _ = syscall.Wait4(p.PID, nil, syscall.WNOHANG, nil) // a child that ended during an upgrade
		return nil, fmt.Errorf("process %d is not the service any more", p.PID)
	}
	if p.Group.tracks() && !slices.Contains(p.Group.members(), p.PID) {
		l.close()
		return nil, fmt.Errorf("process %d is not in the service's cgroup", p.PID)
	}
	return l, nil
}

// keepAgent makes the agent a service like the others, but first in order and
// always wanted.
func (s *supervisor) keepAgent(spec Spec) {
	v := s.services[spec.ID]
	if v == nil {
		v = &service{rec: &record{}}
		s.services[spec.ID] = v
	}
	if !v.rec.Want || v.rec.Hash != spec.Hash() {
		v.rec.plan(spec, 0)
	}
	v.rec.Proven = v.rec.Round // so that a failed start is tried again
}

// reapOrphans takes the zombies that PID 1 inherits. The ends of services and
// of reload commands are taken by those who wait for them.
func (s *supervisor) reapOrphans() {
	own := map[int]bool{}
	for _, v := range s.services {
		own[v.reload] = true
		if p := v.rec.Proc; p != nil && !p.Exited {
			own[p.PID] = true
		}
	}
	for _, st := range allStats() {
		if st.Zombie && st.Parent == os.Getpid() && !own[st.PID] {
			_, _ = syscall.Wait4(st.PID, nil, syscall.WNOHANG, nil)
		}
	}
}
