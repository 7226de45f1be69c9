package sim

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/gantry-orchestrator/gantry/agents/unit"
	"github.com/gantry-orchestrator/gantry/charms/sdk/plugin"
	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// do carries an action out and says how it ended, unless the agent crashes
// before. An action that is not known ends the run: Step and the agent differ.
func (u *unitAgent) do(a unit.Action, done func(error)) {
	sim := u.machine.sim
	switch a := a.(type) {
	case unit.Ask:
		u.ask(a, nil, done)
	case unit.Confirm:
		sim.after(sim.between(time.Millisecond, 100*time.Millisecond), u.guarded(func() {
			u.refresh(a.Probes)
			u.state.Now = sim.now
			u.ask(u.state.Question(), a.Steps, done)
		}))
	case unit.Perform:
		u.perform(a, done)
	case unit.Publish:
		u.publish(a.Publication, done)
	case unit.PutSecret:
		u.putSecret(a, done)
	case unit.OpenClaim:
		u.call(func() error { return u.openClaim(a.Claim) }, done)
	case unit.CloseClaim:
		u.closeClaim(a.Outcome, done)
	case unit.SendReport:
		u.report(a.Report, done)
	case unit.Clear:
		sim.after(sim.between(time.Millisecond, 50*time.Millisecond), u.guarded(func() {
			u.clear()
			done(nil)
		}))
	default:
		sim.fail("%v: action %T is not known", u.name, a)
	}
}

// ask journals the charm's time and asks; what the answer speaks of is looked
// at before it counts.
func (u *unitAgent) ask(q unit.Ask, confirmed []string, done func(error)) {
	sim, in := u.machine.sim, q.Input
	if j := u.state.Journal; !j.Now.Equal(in.Now) || j.NowFor != j.Intent.Hash {
		u.record(unit.Entry{Now: &unit.Advance{Now: in.Now, For: j.Intent.Hash}})
	}
	sim.after(sim.between(time.Millisecond, 50*time.Millisecond), u.guarded(func() {
		want, err := sim.reconcile(in)
		if err != nil {
			u.state.Answer.Failed, u.state.Answer.For = err.Error(), ""
			done(err)
			return
		}
		if r, changed := u.state.NextRound(want); changed {
			u.record(unit.Entry{Round: &r})
		}
		u.state.Answer = unit.Answer{For: q.For, Desired: want, Confirmed: map[string]bool{}}
		for _, key := range confirmed {
			u.state.Answer.Confirmed[key] = true
		}
		u.look()
		u.setProbes(want.Probes)
		done(nil)
	}))
}

// reconcile asks a charm. What it wants must be valid.
func (s *simulation) reconcile(in effect.Input) (effect.Desired, error) {
	b, known := s.builtin(in.Spec.Charm.Name)
	if !known {
		return effect.Desired{}, fmt.Errorf("charm %s: %w", in.Spec.Charm.Name, model.ErrNotFound)
	}
	want, panicked := plugin.Guard(b.Charm, in)
	if panicked != "" {
		s.fail("%v: %s", in.Spec.Unit, panicked)
	}
	if err := want.Validate(); err != nil {
		s.fail("%v: what its charm wants is not valid: %v", in.Spec.Unit, err)
	}
	return want, nil
}

func (u *unitAgent) publish(p effect.Publication, done func(error)) {
	u.call(func() error {
		if err := u.speaker(); err != nil {
			return err
		}
		_, err := u.machine.sim.ctl.said(state.Publish{Model: Model, Publication: p})
		if err == nil {
			u.machine.sim.logf("%v: published %s", u.name, published(p))
		}
		return err
	}, func(err error) {
		if err == nil {
			for _, o := range unit.CommittedResults(u.state.Journal, p) {
				u.record(unit.Entry{Committed: &o})
			}
		}
		done(err)
	})
}

func published(p effect.Publication) string {
	p.Unit = model.UnitName{}
	b, err := json.Marshal(p)
	if err != nil {
		panic("sim: a publication does not encode: " + err.Error())
	}
	return string(b)
}

func (u *unitAgent) putSecret(p unit.PutSecret, done func(error)) {
	op := state.PutSecret{
		Model: Model, Unit: u.name, Token: p.Token, Name: p.Spec.Name, Scope: p.Spec.Scope, Grants: p.Spec.Grants,
		Fields: slices.Sorted(maps.Keys(p.Spec.Fields)), Sealed: []byte("sealed"),
	}
	if p.Outcome != nil {
		op.Fields = slices.Sorted(maps.Keys(unit.SealedFields(p.Outcome.Result)))
	}
	u.call(func() error {
		if err := u.speaker(); err != nil {
			return err
		}
		op.ID = u.machine.sim.secretID()
		_, err := u.machine.sim.ctl.said(op)
		if err == nil {
			u.machine.sim.logf("%v: made secret %s", u.name, p.Spec.Name)
		}
		return err
	}, func(err error) {
		if err == nil && p.Outcome != nil {
			u.record(unit.Entry{Committed: p.Outcome})
		}
		done(err)
	})
}

// secretID draws the ID of a secret.
func (s *simulation) secretID() string {
	sum := sha256.Sum256(fmt.Append(nil, s.rng.Uint64()))
	return "secret:" + hex.EncodeToString(sum[:16])
}

func (u *unitAgent) openClaim(c effect.Claim) error {
	if err := u.speaker(); err != nil {
		return err
	}
	_, err := u.machine.sim.ctl.said(state.OpenClaim{
		Model: Model, Unit: c.Unit, Task: c.Task, TaskKey: c.Key, Token: c.Token, Supersedes: c.Supersedes, Deadline: c.Deadline,
	})
	return err
}

// closeClaim commits a task's outcome. One that is refused was fenced off.
func (u *unitAgent) closeClaim(o unit.Outcome, done func(error)) {
	op := state.CloseClaim{Model: Model, Unit: u.name, Task: string(o.Task.ID), TaskKey: o.Task.Key, Token: o.Token, Failed: o.Failed}
	switch {
	case o.Failed != "":
	case o.Task.Result == effect.PublicResult:
		op.Public = o.Result
	case o.Task.Result == effect.SealedResult:
		op.Secret = &state.PutSecret{ID: u.machine.sim.secretID(), Fields: slices.Sorted(maps.Keys(unit.SealedFields(o.Result))), Sealed: []byte("sealed")}
	}
	u.call(func() error {
		if err := u.speaker(); err != nil {
			return err
		}
		_, err := u.machine.sim.ctl.said(op)
		return err
	}, func(err error) {
		switch class := model.Class(err); {
		case err == nil || class == model.ErrConflict || class == model.ErrNotFound || class == model.ErrDenied:
			u.record(unit.Entry{Committed: &o})
			done(nil)
		default:
			done(err)
		}
	})
}

func (u *unitAgent) report(r effect.Report, done func(error)) {
	s := u.machine.session
	if s == nil {
		done(fmt.Errorf("no controller is connected: %w", model.ErrUnavailable))
		return
	}
	s.upward(func() { s.ctl.report(r) })
	u.state.Reported = unit.HashReport(r)
	u.machine.sim.logf("%v: %s", u.name, reported(r))
	done(nil)
}

func reported(r effect.Report) string {
	text := fmt.Sprintf("reports generation %d, %v %q", r.Generation, r.Status.Level, r.Status.Message)
	if r.Settled {
		text += ", settled"
	}
	for _, t := range r.Asks {
		text += ", asks for turn " + t.Name
	}
	for _, h := range r.Holds {
		text += fmt.Sprintf(", holds %v: %s", h.Subject, h.Reason)
	}
	return text
}
