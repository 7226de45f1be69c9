package supervise

import (
	"context"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gantry-orchestrator/gantry/model"
)

// start makes spec run. With again set it replaces what runs, else it leaves
// the same spec alone and refuses another.
func (s *supervisor) start(ctx context.Context, spec Spec, again bool) (Process, error) {
	if err := spec.Validate(); err != nil {
		return Process{}, err
	}
	spec = spec.withDefaults()
	var v *service
	var round int
	err := s.call(ctx, func() (err error) {
		v, err = s.want(spec, again)
		if err == nil {
			round = v.rec.Round
		}
		return err
	})
	if err != nil {
		return Process{}, err
	}
	err = s.await(ctx, func() (bool, error) {
		switch r := v.rec; {
		case r.Failure != "":
			return true, fmt.Errorf("start service %s: %s: %w", spec.ID, r.Failure, model.ErrUnavailable)
		case r.Round == round && r.Reason != "":
			return true, fmt.Errorf("start service %s: %s before it ran: %w", spec.ID, r.Reason, model.ErrUnavailable)
		case r.Round != round || !r.Want:
			return true, fmt.Errorf("start service %s: stopped or replaced by another request meanwhile: %w", spec.ID, model.ErrConflict)
		default:
			return r.Proven >= round, nil
		}
	})
	if err != nil {
		return Process{}, err
	}
	return s.look(ctx, spec.ID)
}

// want makes spec the wanted one, on disk.
func (s *supervisor) want(spec Spec, again bool) (*service, error) {
	if err := s.mayChange(spec.ID); err != nil {
		return nil, err
	}
	if s.shutdown {
		return nil, fmt.Errorf("start service %s: the supervisor shuts down: %w", spec.ID, model.ErrUnavailable)
	}
	if err := fixLease(&spec, time.Now()); err != nil {
		return nil, err
	}
	v := s.services[spec.ID]
	switch {
	case v == nil:
		v = &service{rec: &record{}}
	case v.rec.Want && !again && v.rec.Hash != spec.Hash():
		return nil, fmt.Errorf("start service %s: it runs with another spec (%s, not %s); stop it first: %w",
			spec.ID, v.rec.Hash, spec.Hash(), model.ErrConflict)
	case v.rec.Want && !again:
		if !spec.Lease.IsZero() {
			v.rec.Spec.Lease = spec.Lease
		}
		return v, nil
	}
	s.seq++
	next := *v.rec
	next.plan(spec, s.seq)
	if err := s.store.save(&next); err != nil {
		return nil, err
	}
	*v.rec = next
	s.services[spec.ID] = v
	return v, nil
}

// fixLease ties the lease to the monotonic clock, so that a step of the wall
// clock does not move it while this supervisor runs.
func fixLease(spec *Spec, now time.Time) error {
	if spec.Lease.IsZero() {
		return nil
	}
	spec.Lease = now.Add(spec.Lease.Round(0).Sub(now.Round(0)))
	r := record{Spec: *spec}
	if !now.Before(r.leaseStop()) {
		return fmt.Errorf("service %s: its lease ends in %v, sooner than it can be stopped (%v); ask for a longer one: %w",
			spec.ID, spec.Lease.Sub(now).Round(time.Millisecond), spec.StopTimeout+leaseMargin, model.ErrInvalid)
	}
	return nil
}

func (s *supervisor) mayChange(id string) error {
	if id != "" && id == s.agentID() {
		return fmt.Errorf("service %s is the machine's agent and belongs to the supervisor: %w", id, model.ErrDenied)
	}
	return nil
}

// find returns the service that a request may change.
func (s *supervisor) find(id string) (*service, error) {
	if err := s.mayChange(id); err != nil {
		return nil, err
	}
	v := s.services[id]
	if v == nil {
		return nil, fmt.Errorf("service %q is not known here: %w", id, model.ErrNotFound)
	}
	return v, nil
}

// stop returns when no process of the service is left. It goes on when the
// caller goes away.
func (s *supervisor) stop(ctx context.Context, id string) (Process, error) {
	var v *service
	err := s.call(ctx, func() (err error) {
		if v, err = s.find(id); err == nil {
			v.rec.cancel("")
		}
		return err
	})
	if err != nil {
		return Process{}, err
	}
	err = s.await(ctx, func() (bool, error) {
		if v.rec.Want {
			return true, fmt.Errorf("stop service %s: started again by another request meanwhile: %w", id, model.ErrConflict)
		}
		return v.rec.Proc == nil, nil
	})
	if err != nil {
		return Process{}, err
	}
	return s.look(ctx, id)
}

func (s *supervisor) renew(ctx context.Context, id string, lease time.Time) (Process, error) {
	err := s.call(ctx, func() error {
		v, err := s.find(id)
		if err != nil {
			return err
		}
		if !v.rec.Want {
			return fmt.Errorf("renew the lease of service %s: it is stopped; start it again: %w", id, model.ErrConflict)
		}
		if lease.IsZero() {
			return fmt.Errorf("renew the lease of service %s: no time given: %w", id, model.ErrInvalid)
		}
		spec := v.rec.Spec
		spec.Lease = lease
		if err := fixLease(&spec, time.Now()); err != nil {
			return err
		}
		v.rec.Spec = spec
		return nil
	})
	if err != nil {
		return Process{}, err
	}
	return s.look(ctx, id)
}

// remove forgets a stopped service; one that is not known is forgotten already.
func (s *supervisor) remove(ctx context.Context, id string) error {
	return s.call(ctx, func() error {
		if err := s.mayChange(id); err != nil {
			return err
		}
		v := s.services[id]
		if v == nil {
			return nil
		}
		if v.rec.Want || v.rec.Proc != nil {
			return fmt.Errorf("remove service %s: it is not stopped; stop it first: %w", id, model.ErrConflict)
		}
		if err := s.store.remove(id); err != nil {
			return err
		}
		delete(s.services, id)
		for w := range s.watchers {
			w.put(Event{Process: v.shown, Removed: true})
		}
		return nil
	})
}

func (s *supervisor) list(ctx context.Context) ([]Process, error) {
	out := []Process{}
	err := s.call(ctx, func() error {
		for _, v := range s.inOrder() {
			out = append(out, v.shown)
		}
		return nil
	})
	return out, err
}

func (s *supervisor) look(ctx context.Context, id string) (p Process, err error) {
	err = s.call(ctx, func() error {
		v := s.services[id]
		if v == nil {
			return fmt.Errorf("service %s was removed by another request meanwhile: %w", id, model.ErrConflict)
		}
		p = v.shown
		return nil
	})
	return p, err
}

// replace ends this run of the supervisor, to go on with a newer binary.
func (s *supervisor) replace(ctx context.Context) error {
	if err := unix.Access(s.Executable, unix.X_OK); err != nil {
		return fmt.Errorf("upgrade to %s: %w: %w", s.Executable, err, model.ErrInvalid)
	}
	return s.call(ctx, func() error {
		s.upgrade = true
		return nil
	})
}

// tendLogs rotates the services' logs until ctx ends.
func (s *supervisor) tendLogs(ctx context.Context) error {
	tick := time.NewTicker(s.LogInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		logs := map[string]rotation{}
		_ = s.call(ctx, func() error {
			for _, v := range s.services {
				if p := v.rec.Spec; p.LogFile != "" && p.LogFile != os.DevNull {
					logs[p.LogFile] = rotation{p.LogFile, p.LogMaxBytes, p.LogKeep}
				}
			}
			return nil
		})
		for _, r := range logs {
			if err := r.rotate(); err != nil {
				s.Logger.Error("log not rotated", "error", err)
			}
		}
	}
}
