package agent

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gantry-orchestrator/gantry/agents/perform"
	"github.com/gantry-orchestrator/gantry/agents/supervise"
	"github.com/gantry-orchestrator/gantry/agents/unit"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// observe is a process as a unit's step function knows it. Restarts that were
// not there before are crashes of now.
func observe(was unit.Process, p supervise.Process, now time.Time) unit.Process {
	next := unit.Process{
		PID: p.PID, Spec: p.SpecHash, Since: p.Since, Restarts: p.Restarts, Crashes: was.Crashes,
		Running: p.State == supervise.Running || p.State == supervise.Waiting,
	}
	if p.State != supervise.Running {
		next.PID = 0
	}
	if p.State == supervise.Failed || p.State == supervise.Waiting {
		next.Failed = p.Reason
	}
	if was.Spec != "" {
		for range p.Restarts - was.Restarts {
			next.Crashes = append(slices.Clone(next.Crashes), now)
		}
	}
	next.Crashes = slices.DeleteFunc(slices.Clone(next.Crashes), func(t time.Time) bool { return now.Sub(t) > unit.FlapWindow })
	return next
}

// serviceID is a service's name on the machine.
func (u *unitLoop) serviceID(id effect.ID) string { return u.name.Dashed() + "/" + string(id) }

func (u *unitLoop) effectID(service string) effect.ID {
	return effect.ID(strings.TrimPrefix(service, u.name.Dashed()+"/"))
}

// serve does a step of a service.
func (u *unitLoop) serve(ctx context.Context, s effect.Step) error {
	id, sup := u.serviceID(s.ID), u.agent.Supervisor
	var p supervise.Process
	var err error
	switch s.Kind {
	case effect.Start, effect.Restart:
		p, err = u.launch(ctx, s)
	case effect.Reload:
		p, err = sup.Reload(ctx, id)
	case effect.Stop:
		p, err = sup.Stop(ctx, id)
	case effect.Remove:
		if _, err = sup.Stop(ctx, id); err == nil || errors.Is(err, model.ErrNotFound) {
			err = sup.Remove(ctx, id)
		}
	default:
		err = fmt.Errorf("%s is no step of a service: %w", s.Name(), model.ErrInvalid)
	}
	if err != nil {
		return err
	}
	u.agent.noteProcess(u, id, p)
	return nil
}

// launch starts or restarts a service, journaling before what it is to be.
func (u *unitLoop) launch(ctx context.Context, s effect.Step) (p supervise.Process, err error) {
	svc := *s.Effect.Service
	spec, err := u.spec(svc)
	if err != nil {
		return p, err
	}
	var volume *effect.Volume
	err = u.call(ctx, func() error {
		if svc.Lease && !u.state.Leads() {
			return fmt.Errorf("only the leader runs it: %w", model.ErrUnavailable)
		}
		if svc.Lease {
			spec.Lease = u.state.LeadsUntil
		}
		volume = u.volume(svc.Volume)
		start := unit.Start{Spec: spec.Hash(), Process: svc.Process()}
		return u.record(unit.Entry{Begun: &unit.Begun{Step: s, Start: &start, OldPID: u.state.Observed.Services[s.ID].PID}})
	})
	if err != nil {
		return p, err
	}
	if err := stamped(svc, volume); err != nil {
		return p, err
	}
	if s.Kind == effect.Start {
		p, err = u.agent.Supervisor.Start(ctx, spec)
	}
	if s.Kind == effect.Restart || errors.Is(err, model.ErrConflict) {
		p, err = u.agent.Supervisor.Restart(ctx, spec)
	}
	return p, err
}

// volume is a wanted volume.
func (u *unitLoop) volume(id effect.ID) *effect.Volume {
	for _, v := range u.state.Answer.Desired.Volumes {
		if v.ID == id {
			return &v
		}
	}
	return nil
}

// stamped refuses to start a service on a volume with another stamp.
func stamped(svc effect.Service, v *effect.Volume) error {
	if svc.Volume == "" {
		return nil
	}
	if v == nil {
		return fmt.Errorf("its volume %s is not wanted: %w", svc.Volume, model.ErrInvalid)
	}
	state, err := perform.VolumeState(v.Path)
	if err == nil && state != effect.VolumeStamped+v.Incarnation {
		err = fmt.Errorf("volume %s is %s, not incarnation %s: %w", v.Path, state, v.Incarnation, model.ErrConflict)
	}
	return err
}

// spec is what the supervisor is to run.
func (u *unitLoop) spec(svc effect.Service) (supervise.Spec, error) {
	spec := supervise.Spec{
		ID: u.serviceID(svc.ID), Command: svc.Command, Env: perform.Environment(svc.Env, svc.User), Dir: svc.Dir,
		User: svc.User, Group: svc.Group, ReloadCommand: svc.ReloadCommand, StopTimeout: svc.StopTimeout,
		LogFile: filepath.Join(u.state.Host.Log, logName(svc.ID)),
		Limits: supervise.Limits{
			MemoryMiB: svc.Limits.MemoryMiB, CPUPercent: svc.Limits.CPUPercent,
			Files: uint64(svc.Limits.Files), Pids: svc.Limits.Processes,
		},
	}
	var err error
	if svc.StopSignal != "" {
		if spec.StopSignal, err = supervise.ParseSignal(svc.StopSignal); err != nil {
			return spec, err
		}
	}
	reload := svc.ReloadSignal
	if reload == "" {
		reload = "SIGHUP"
	}
	if len(svc.ReloadCommand) == 0 {
		spec.ReloadSignal, err = supervise.ParseSignal(reload)
	}
	return spec, err
}

// logName is the file of a service's log.
func logName(id effect.ID) string { return strings.ReplaceAll(string(id), "/", "-") + ".log" }
