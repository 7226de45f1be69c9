package sdktest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gantry-orchestrator/gantry/charms/sdk"
	"github.com/gantry-orchestrator/gantry/charms/sdk/plugin"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// Bounds of Settle: passes over all units, and times that it lets time pass.
const (
	maxPasses = 400
	maxWaits  = 60
)

// Settle lets everything take its course until nothing moves any more: diffs
// carried out, turns granted, orders advanced, units drained and torn down.
// Time passes only while a unit is not settled and has asked for a Revisit.
func (m *Model) Settle() {
	m.t.Helper()
	waits := 0
	for range maxPasses {
		switch {
		case m.pass(), m.grant(), m.advance(), m.drain():
		case waits < maxWaits && m.wait():
			waits++
		default:
			return
		}
	}
	m.t.Fatalf("not settled after %d passes:\n%s", maxPasses, m.pending())
}

// pass has every unit do one thing, and reports whether any did.
func (m *Model) pass() bool {
	moved := false
	for _, u := range m.units {
		if u.life != model.Dead && m.round(u) {
			moved = true
		}
	}
	return moved
}

// moment is what Check looks at: a unit right before it does its next step.
type moment struct {
	input   effect.Input
	journal []effect.Applied
	seen    effect.Observed
	want    effect.Desired
	diff    effect.Difference
}

// round asks the charm and does the first step that may be done.
func (m *Model) round(u *Unit) bool {
	m.t.Helper()
	want, in := m.ask(u)
	changed := !u.asked || encode(want) != encode(u.want)
	if u.asked && changed {
		m.flapping(u, in, want)
	}
	u.want, u.asked = want, true
	now := moment{input: in, journal: u.journal, seen: m.observed(u), want: want}
	now.diff = effect.Diff(u.journal, now.seen, want)
	u.settled = now.diff.Settled() && want.Partial == "" && want.Status.Level != model.Maintenance && want.Status.Level != model.Waiting
	if m.observe != nil {
		m.observe(now)
	}
	done := map[string]bool{}
	for _, s := range now.diff.Steps {
		done[s.Name()] = false
	}
	for _, s := range now.diff.Steps {
		waits := slices.ContainsFunc(s.After, func(name string) bool { _, open := done[name]; return open })
		if waits || s.Turn != nil && !u.holds(s.Turn.Name) {
			continue
		}
		if m.perform(u, s) {
			return true
		}
	}
	m.release(u)
	return changed
}

// maxReturns is how often a unit may want again what it wanted before, while
// its spec is the same: an agent blocks it then.
const maxReturns = 3

func (m *Model) flapping(u *Unit, in effect.Input, want effect.Desired) {
	m.t.Helper()
	if generation := in.Spec.Hash(); generation != u.generation {
		u.generation, u.answers = generation, map[string]int{}
	}
	key := encode(want)
	if u.answers[key]++; u.answers[key] > maxReturns {
		m.t.Fatalf("%s flaps between two answers:\n%s", u.name, cmp.Diff(Text(u.want), Text(want)))
	}
}

func (m *Model) ask(u *Unit) (effect.Desired, effect.Input) {
	m.t.Helper()
	in := m.input(u)
	want, panicked := plugin.Guard(m.builtin.Charm, in)
	if panicked != "" {
		m.t.Fatalf("%s: %s", u.name, panicked)
	}
	if err := want.Validate(); err != nil {
		m.t.Fatalf("%s: what the charm wants is not valid: %v", u.name, err)
	}
	return want, in
}

// perform does a step on the unit's host, and reports whether it was done.
func (m *Model) perform(u *Unit, s effect.Step) bool {
	m.t.Helper()
	switch s.Kind {
	case effect.Publish, effect.Propose, effect.Mint:
		m.commit(u, s)
	default:
		if out := m.tell(u, s); out.Failed != "" {
			m.t.Logf("%s: %s failed: %s", u.name, s.Name(), out.Failed)
			return false
		} else if s.Kind == effect.Run {
			m.result(u, *s.Effect.Task, out.Output)
		}
		u.seen = u.seen.After(s)
	}
	u.done = append(u.done, s)
	switch {
	case m.crash == nil || !m.crash():
		u.journal = effect.Journaled(u.journal, s)
	case s.Kind == effect.Run:
		u.journal = effect.Opened(u.journal, s)
	}
	return true
}

// tell lets the twin know of a step.
func (m *Model) tell(u *Unit, s effect.Step) sdk.Outcome {
	m.t.Helper()
	switch s.Kind {
	case effect.Start, effect.Restart:
		if s.Kind == effect.Restart {
			m.event(sdk.ServiceStopped{Unit: u.name, Service: s.ID})
		}
		incarnation := strings.TrimPrefix(u.seen.Volumes[s.Effect.Service.Volume], effect.VolumeStamped)
		return m.event(sdk.ServiceStarted{
			Unit: u.name, Address: address(u.name.Number), Service: *s.Effect.Service, Files: u.files(), Incarnation: incarnation,
		})
	case effect.Reload:
		return m.event(sdk.ServiceReloaded{Unit: u.name, Service: *s.Effect.Service, Files: u.files()})
	case effect.Stop:
		return m.event(sdk.ServiceStopped{Unit: u.name, Service: s.ID})
	case effect.Remove:
		if s.Effect.Service != nil && u.Running(s.ID) {
			return m.event(sdk.ServiceStopped{Unit: u.name, Service: s.ID})
		}
	case effect.Stamp, effect.Wipe:
		return m.event(sdk.VolumeStamped{Unit: u.name, Volume: s.ID, Incarnation: s.Effect.Volume.Incarnation})
	case effect.Run:
		return m.event(sdk.TaskRan{Unit: u.name, Task: *s.Effect.Task})
	case effect.Undo:
		return m.event(sdk.TaskRan{Unit: u.name, Task: *s.Effect.Task, Undo: true})
	}
	return sdk.Outcome{}
}

// wait lets time pass to the next Revisit, where a unit is not settled.
func (m *Model) wait() bool {
	var next time.Time
	unsettled := false
	for _, u := range m.Units() {
		unsettled = unsettled || !u.settled
		if at := u.want.Revisit; at.After(m.now) && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	if !unsettled || next.IsZero() {
		return false
	}
	m.event(sdk.Elapsed{By: next.Sub(m.now)})
	m.now = next
	return true
}

func (m *Model) pending() string {
	var b strings.Builder
	for _, u := range m.Units() {
		d := effect.Diff(u.journal, m.observed(u), u.want)
		fmt.Fprintf(&b, "%s: %s %q; steps", u.name, u.want.Status.Level, u.want.Status.Message)
		for _, s := range d.Steps {
			fmt.Fprintf(&b, " [%s: %s]", s.Name(), s.Why)
		}
		for _, o := range d.Obstacles {
			fmt.Fprintf(&b, " (%s: %s)", o.ID, o.Reason)
		}
		b.WriteString("\n")
	}
	return b.String()
}

func encode(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic("sdktest: a contract type does not encode: " + err.Error())
	}
	return string(b)
}
