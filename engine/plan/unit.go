package plan

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gantry-orchestrator/gantry/engine/solver"
	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

// unit is one unit, as it would fare.
type unit struct {
	*fork
	ref     state.UnitRef
	begun   bool
	idle    bool // nothing changed for it since it came to rest
	settled bool
	base    map[effect.ProbeID]effect.Fact // as reported
	assumed map[effect.ProbeID]effect.Fact // as its steps would make them
	journal []effect.Applied
	seen    effect.Observed
	want    effect.Desired
	answer  answered
	lines   []operator.PlannedEffect
	turn    int // of its first step that waits for one, counted over all units; 0 for none
	guessed bool
	last    string // the report that the solver has
}

// begin makes the unit as it is before the change: what its charm wants under
// the intent of then, with the facts that were last reported, is taken to be
// done.
func (u *unit) begin(ctx context.Context) error {
	u.begun = true
	u.assumed = map[effect.ProbeID]effect.Fact{}
	u.seen = effect.Observed{Volumes: map[effect.ID]string{}, Packages: map[string]string{}}
	in, wanted := solver.IntentOf(u.before, u.ref)
	report, heard := u.Report(u.ref)
	if !wanted || !heard {
		return nil
	}
	u.base = report.Facts
	// Also what only the leader keeps is there.
	in.Live.Leader = true
	input := effect.Input{Spec: in.Spec, Live: in.Live, Now: u.before.Now(), Facts: report.Facts, Host: u.Host(u.ref.Unit, in.Spec.Charm.Name)}
	want, err := u.Charms.Reconcile(ctx, in.Spec.Charm, input)
	if err != nil {
		return err
	}
	u.want = want
	maps.Copy(u.seen.Packages, in.Spec.Versions)
	u.seen.Spec, u.seen.Live = in.Spec, in.Live
	for _, v := range want.Volumes {
		u.seen.Volumes[v.ID] = effect.VolumeEmpty
		if f, known := report.Facts[effect.VolumeFact+effect.ProbeID(v.ID)]; known {
			u.seen.Volumes[v.ID] = f.Value
		}
	}
	for range 3 { // a Stamp that is kept, then what rests on it
		for _, s := range effect.Diff(u.journal, u.seen, want).Steps {
			if !publishes(s) {
				u.seen, u.journal = u.seen.After(s), effect.Journaled(u.journal, s)
			}
		}
	}
	return nil
}

func publishes(s effect.Step) bool {
	return s.Kind == effect.Publish || s.Kind == effect.Propose || s.Kind == effect.Mint
}

// round asks the charm and does what may be done now.
func (u *unit) round(ctx context.Context) (moved bool, err error) {
	if !u.begun {
		if err := u.begin(ctx); err != nil {
			return false, err
		}
	}
	if err := u.begins(ctx, u.ref.Unit.Application); err != nil {
		return false, err
	}
	in, wanted := u.intent(u.ref)
	if !wanted {
		u.idle = true
		return false, nil
	}
	u.look(in)
	u.want = effect.Desired{}
	if in.Spec.Life != model.Dead {
		if u.want, err = u.ask(ctx, u.input(in)); err != nil {
			return false, err
		}
		u.look(in)
	}
	steps := u.steps(in)
	open := map[string]bool{}
	for _, s := range steps {
		open[s.Name()] = true
	}
	for _, s := range steps {
		if slices.ContainsFunc(s.After, func(name string) bool { return open[name] }) || s.Turn != nil && !granted(in, s.Turn.Name) && in.Spec.Life != model.Dead {
			continue
		}
		if !u.perform(in, s) {
			continue
		}
		moved = true
		delete(open, s.Name())
		if s.Effect.Service != nil || s.Effect.Task != nil || publishes(s) {
			break // the charm may have more to say
		}
	}
	if !moved {
		moved = u.report(in, steps)
		u.idle = !moved
	}
	return moved, nil
}

// steps is what lies between the unit and what is wanted of it.
func (u *unit) steps(in effect.Intent) []effect.Step {
	steps := effect.Diff(u.journal, u.seen, u.want).Steps
	if in.Spec.Life == model.Dead {
		steps = slices.DeleteFunc(steps, func(s effect.Step) bool { return !s.Undoes() })
	}
	return steps
}

// look brings what is seen up to the intent and to what facts would be.
func (u *unit) look(in effect.Intent) {
	u.seen.Spec, u.seen.Live = in.Spec, in.Live
	for _, v := range u.want.Volumes {
		if u.seen.Volumes[v.ID] == "" {
			u.seen.Volumes[v.ID] = effect.VolumeEmpty
		}
	}
	u.seen.Facts = u.facts()
}

func (u *unit) input(in effect.Intent) effect.Input {
	return effect.Input{
		Spec: in.Spec, Live: in.Live, Now: u.fork.seen.Now, Facts: u.seen.Facts,
		Host: u.Host(u.ref.Unit, in.Spec.Charm.Name),
	}
}

func granted(in effect.Intent, turn string) bool {
	return slices.ContainsFunc(in.Live.Grants, func(g effect.Grant) bool { return g.Turn == turn })
}

// perform does a step in thought, and reports whether it was done.
func (u *unit) perform(in effect.Intent, s effect.Step) bool {
	if publishes(s) {
		return u.publish(in, s)
	}
	line := u.line(in, s)
	output, failed := u.tell(in, s)
	if failed != "" || s.Kind == effect.Run && !u.commit(in, s, output) {
		return false
	}
	u.seen, u.journal = u.seen.After(s), effect.Journaled(u.journal, s)
	u.expect(s)
	if line.Action != "" {
		u.lines = append(u.lines, line)
		if s.Turn != nil && s.Disrupts {
			u.fork.turns++
			u.turn = cmp.Or(u.turn, u.fork.turns)
		}
	}
	return true
}

// publish commits what a unit publishes.
func (u *unit) publish(in effect.Intent, s effect.Step) bool {
	p := effect.Publication{Unit: u.ref.Unit, Token: in.Live.Token}
	var op state.Op
	switch s.Kind {
	case effect.Publish:
		p.Bags = []effect.Bag{*s.Effect.Bag}
		op = state.Publish{Model: u.ref.Model, Publication: p}
	case effect.Propose:
		p.Records = []effect.Record{*s.Effect.Record}
		op = state.Publish{Model: u.ref.Model, Publication: p}
	default:
		secret := s.Effect.Secret
		op = state.PutSecret{
			Model: u.ref.Model, Unit: u.ref.Unit, Token: in.Live.Token, Name: secret.Name, Scope: secret.Scope, Grants: secret.Grants,
			ID: fmt.Sprintf("secret:of-%s-%s", u.ref.Unit.Dashed(), secret.Name), Fields: slices.Sorted(maps.Keys(secret.Fields)),
		}
	}
	_, err := u.says(op)
	return err == nil
}

// commit brings a task's outcome to where the real one would be kept.
func (u *unit) commit(in effect.Intent, s effect.Step, output string) bool {
	t := s.Effect.Task
	if t.Scope == effect.ApplicationScope {
		open := state.OpenClaim{Model: u.ref.Model, Unit: u.ref.Unit, Task: string(t.ID), TaskKey: t.Key, Token: in.Live.Token}
		for _, r := range in.Live.Receipts {
			if r.Task == open.Task && r.Key == open.TaskKey && r.State == effect.ClaimDone {
				open.Supersedes = r.Token // it runs though it is done: its outcome was lost
			}
		}
		claim, err := u.says(open)
		if err != nil {
			return false
		}
		result := state.CloseClaim{Model: u.ref.Model, Unit: u.ref.Unit, Task: string(t.ID), TaskKey: t.Key, Token: claim.Index}
		if t.Result == effect.PublicResult {
			result.Public = output
		}
		_, err = u.says(result)
		return err == nil
	}
	if t.Result != effect.PublicResult || output == "" {
		return true
	}
	_, err := u.says(state.Publish{Model: u.ref.Model, Publication: effect.Publication{
		Unit: u.ref.Unit, Records: []effect.Record{{Name: string(t.ID), Scope: effect.UnitScope, Value: output}},
	}})
	return err == nil
}

// report tells the solver how the unit fares, and reports whether that is new.
func (u *unit) report(in effect.Intent, steps []effect.Step) bool {
	r := effect.Report{
		Unit: u.ref.Unit, Generation: in.Generation, Hash: in.Hash, Serial: in.Live.Serial, Answered: true,
		Settled: len(steps) == 0, Status: u.want.Status, Holds: u.want.Holds, Reached: u.want.Reached,
		TornDown: in.Spec.Life == model.Dead && len(steps) == 0, Facts: u.seen.Facts,
	}
	if r.Status.Level == model.Blocked {
		r.Status.Level = model.Waiting // in a plan nobody comes to help
	}
	for _, s := range steps {
		if s.Turn != nil && !slices.ContainsFunc(r.Asks, func(t effect.Turn) bool { return t.Name == s.Turn.Name }) {
			r.Asks = append(r.Asks, *s.Turn)
		}
	}
	for _, g := range in.Live.Grants {
		if !slices.ContainsFunc(r.Asks, func(t effect.Turn) bool { return t.Name == g.Turn }) {
			r.Returned = append(r.Returned, g)
		}
	}
	for _, svc := range u.want.Services {
		r.Services = append(r.Services, effect.ServiceReport{ID: svc.ID, Healthy: svc.Stopped != u.seen.Services[svc.ID].Running})
	}
	u.settled = r.Settled
	text := fmt.Sprint(r)
	if u.last == text {
		return false
	}
	u.last = text
	u.dirty.Merge(u.fork.seen.Take(u.ref.Model, r))
	return true
}

// files are those on the unit's machine.
func (u *unit) files() []effect.File {
	var files []effect.File
	for _, a := range u.journal {
		if a.Effect.File != nil {
			files = append(files, *a.Effect.File)
		}
	}
	return files
}

// incarnation is the stamp of a volume.
func (u *unit) incarnation(id effect.ID) string {
	return strings.TrimPrefix(u.seen.Volumes[id], effect.VolumeStamped)
}
