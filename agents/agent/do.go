package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"

	"github.com/gantry-orchestrator/gantry/agents/perform"
	"github.com/gantry-orchestrator/gantry/agents/unit"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// do carries an action out, on a worker.
func (u *unitLoop) do(ctx context.Context, a unit.Action) error {
	switch a := a.(type) {
	case unit.Ask:
		return u.ask(ctx, a, nil)
	case unit.Confirm:
		return u.confirm(ctx, a)
	case unit.Perform:
		return u.perform(ctx, a)
	case unit.Publish:
		return u.publish(ctx, a.Publication)
	case unit.PutSecret:
		return u.putSecret(ctx, a)
	case unit.OpenClaim:
		_, err := u.agent.Controller.OpenClaim(ctx, a.Claim)
		return err
	case unit.CloseClaim:
		return u.closeClaim(ctx, a.Outcome)
	case unit.SendReport:
		return u.sendReport(a.Report)
	case unit.Clear:
		return u.clear(ctx)
	default:
		return fmt.Errorf("agent: action %s is not known: %w", a.Key(), model.ErrInvalid)
	}
}

// ask journals the charm's time, asks, looks at what the answer speaks of, and
// hands both to the loop at once.
func (u *unitLoop) ask(ctx context.Context, q unit.Ask, confirmed []string) error {
	in := q.Input
	err := u.call(ctx, func() error {
		j := u.state.Journal
		if j.Now.Equal(in.Now) && j.NowFor == j.Intent.Hash {
			return nil
		}
		return u.record(unit.Entry{Now: &unit.Advance{Now: in.Now, For: j.Intent.Hash}})
	})
	if err != nil {
		return err
	}
	want, err := u.agent.Charms.Reconcile(ctx, in.Spec.Charm, in)
	if err != nil {
		return u.unanswered(ctx, err)
	}
	seen, began, err := u.look(ctx, want)
	if err != nil {
		return err
	}
	return u.call(ctx, func() error {
		answer := unit.Answer{For: q.For, Desired: want, Confirmed: map[string]bool{}}
		for _, key := range confirmed {
			answer.Confirmed[key] = true
		}
		err := u.round(answer)
		u.state.Answer = answer
		u.take(seen, began)
		u.setProbes(ctx, want.Probes)
		return err
	})
}

// unanswered notes that the charm failed; what it said before stays, and is
// not carried further.
func (u *unitLoop) unanswered(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		noted := u.call(ctx, func() error {
			u.state.Answer.Failed, u.state.Answer.For = err.Error(), ""
			return nil
		})
		err = errors.Join(err, noted)
	}
	return err
}

// round journals that the desired effects changed.
func (u *unitLoop) round(next unit.Answer) error {
	r, changed := u.state.NextRound(next.Desired)
	if !changed {
		return nil
	}
	return u.record(unit.Entry{Round: &r})
}

// confirm reads probes at once and asks the charm with what they say.
func (u *unitLoop) confirm(ctx context.Context, c unit.Confirm) error {
	readings := u.readAll(ctx, c.Probes)
	var q unit.Ask
	err := u.call(ctx, func() error {
		for id, r := range readings {
			u.refresh(id, r)
		}
		q = u.state.Question()
		return nil
	})
	if err != nil {
		return err
	}
	return u.ask(ctx, q, c.Steps)
}

func (u *unitLoop) publish(ctx context.Context, p effect.Publication) error {
	if _, err := u.agent.Controller.Publish(ctx, p); err != nil {
		return err
	}
	return u.call(ctx, func() error {
		var entries []unit.Entry
		for _, o := range unit.CommittedResults(u.state.Journal, p) {
			entries = append(entries, unit.Entry{Committed: &o})
		}
		if len(entries) == 0 {
			return nil
		}
		return u.record(entries...)
	})
}

func (u *unitLoop) putSecret(ctx context.Context, p unit.PutSecret) error {
	s := effect.NewSecret{Unit: u.name, Token: p.Token, Name: p.Spec.Name, Scope: p.Spec.Scope, Grants: p.Spec.Grants}
	if p.Outcome != nil {
		s.Fields = unit.SealedFields(p.Outcome.Result)
	} else {
		fields, err := perform.MakeSecret(ctx, u.secrets, p.Spec)
		if err != nil {
			return err
		}
		s.Fields = fields
	}
	if _, err := u.agent.Controller.PutSecret(ctx, s); err != nil || p.Outcome == nil {
		return err
	}
	return u.call(ctx, func() error { return u.record(unit.Entry{Committed: p.Outcome}) })
}

// closeClaim commits a task's outcome. One that the controller refuses has
// been fenced off: another took the task over.
func (u *unitLoop) closeClaim(ctx context.Context, o unit.Outcome) error {
	r := effect.ClaimResult{Unit: u.name, Task: string(o.Task.ID), Key: o.Task.Key, Token: o.Token, Failed: o.Failed}
	switch {
	case o.Failed != "":
	case o.Task.Result == effect.PublicResult:
		r.Public = o.Result
	case o.Task.Result == effect.SealedResult:
		r.Sealed = unit.SealedFields(o.Result)
	}
	err := u.agent.Controller.CloseClaim(ctx, r)
	switch class := model.Class(err); {
	case err == nil:
	case class == model.ErrConflict || class == model.ErrNotFound || class == model.ErrDenied:
		u.log.Warn("the claim is not ours to close", slog.Any("task", o.Task.ID), slog.Any("error", err))
	default:
		return err
	}
	return u.call(ctx, func() error { return u.record(unit.Entry{Committed: &o}) })
}

func (u *unitLoop) sendReport(r effect.Report) error {
	if err := u.agent.link.send(effect.Upward{Reports: []effect.Report{r}}); err != nil {
		return err
	}
	u.post(func() { u.state.Reported = unit.HashReport(r) })
	return nil
}

func (u *unitLoop) clear(ctx context.Context) error {
	left, err := clearHost(u.state.Host)
	err = errors.Join(err, os.RemoveAll(u.agent.Dirs.outcomes(u.name)))
	if err != nil {
		return err
	}
	return u.call(ctx, func() error { return u.record(unit.Entry{Cleared: &unit.Ended{Left: left}}) })
}

// machine performs steps as the intent says now.
func (u *unitLoop) machine(ctx context.Context) (m perform.Machine, err error) {
	err = u.call(ctx, func() error {
		in := u.state.Journal.Intent
		u.secrets.know(in.Spec)
		m = perform.Machine{
			Packages: u.agent.Packages, Software: u.agent.Software, Secrets: u.secrets, Versions: maps.Clone(in.Spec.Versions),
			Warrants: in.Live.Warrants, InUse: u.packageElsewhere, Uses: u.softwareElsewhere,
		}
		return nil
	})
	return m, err
}
