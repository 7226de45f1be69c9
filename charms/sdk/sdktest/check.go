package sdktest

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/gantry-orchestrator/gantry/charms/sdk"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// Check holds a charm to what every charm must keep: it is stable, ignorance
// is harmless, nothing is destroyed or founded twice, turns and the twin's
// promises are kept, and teardown is complete. It draws histories at random;
// -rapid.checks says how many.
func Check(t *testing.T, b sdk.Builtin, s Scenario) {
	t.Helper()
	t.Run("the same input gives the same bytes", func(t *testing.T) { checkStable(t, b, s) })
	t.Run("a crash anywhere reaches the same host", func(t *testing.T) { checkCrash(t, b, s) })
	t.Run("ignorance is harmless", func(t *testing.T) { checkIgnorance(t, b, s) })
	t.Run("any history is safe", func(t *testing.T) { checkHistory(t, b, s) })
	t.Run("teardown is complete", func(t *testing.T) { checkTeardown(t, b, s) })
}

// moments runs the scenario and its changes and keeps every moment of it.
func moments(t T, b sdk.Builtin, s Scenario) []moment {
	t.Helper()
	var all []moment
	m := New(t, b, s)
	m.observe = func(now moment) { all = append(all, now) }
	m.Settle()
	for _, change := range s.Changes {
		m.Configure(change)
		m.Settle()
	}
	return all
}

// checkStable asks twice, through JSON as a process would be asked and with
// another unit's question in between.
func checkStable(t *testing.T, b sdk.Builtin, s Scenario) {
	all := moments(t, b, s)
	for i, now := range all {
		b.Charm.Reconcile(all[(i*7+1)%len(all)].input)
		again := b.Charm.Reconcile(decode[effect.Input](encode(now.input)))
		if got, want := encode(again), encode(now.want); got != want {
			t.Fatalf("%s was answered\n%s\nand then\n%s", now.input.Spec.Unit, want, got)
		}
	}
}

// checkCrash lets agents die right after steps, before they are journaled.
func checkCrash(t *testing.T, b sdk.Builtin, s Scenario) {
	plain := New(t, b, s)
	plain.Settle()
	want := plain.hosts()
	rapid.Check(t, func(t *rapid.T) {
		m := New(t, b, s)
		crashes := 0
		m.crash = func() bool {
			if crashes == 3 || rapid.IntRange(0, 3).Draw(t, "crash") > 0 {
				return false
			}
			crashes++
			return true
		}
		m.Settle()
		if got := m.hosts(); got != want {
			t.Fatalf("after crashes the hosts are\n%s\nwithout any they are\n%s", got, want)
		}
	})
}

// hosts is what is on all hosts, for comparison.
func (m *Model) hosts() string {
	out := ""
	for _, u := range m.Units() {
		var files []string
		for _, f := range u.files() {
			files = append(files, f.Path+" "+effect.Effect{File: &f}.Hash())
		}
		slices.Sort(files)
		out += fmt.Sprintf("%s packages %v software %v volumes %v services %v files %v bags %v\n",
			u.name, u.seen.Packages, u.seen.Software, u.seen.Volumes, u.seen.Services, files, u.bags)
	}
	return out
}

// checkIgnorance takes facts, records and what others published away from a
// charm that has answered with them, and allows no harm that it did not want
// then.
func checkIgnorance(t *testing.T, b sdk.Builtin, s Scenario) {
	all := moments(t, b, s)
	rapid.Check(t, func(t *rapid.T) {
		now := rapid.SampledFrom(all).Draw(t, "moment")
		less, forgotten := forget(t, now.input)
		want := b.Charm.Reconcile(less)
		if err := want.Validate(); err != nil {
			t.Fatalf("without %v, %s wants what is not valid: %v", forgotten, now.input.Spec.Unit, err)
		}
		known := map[string]bool{}
		for _, s := range now.diff.Steps {
			known[s.Name()] = true
		}
		for _, step := range effect.Diff(now.journal, now.seen, want).Steps {
			if harm := harms(now, step); harm != "" && !known[step.Name()] {
				t.Fatalf("without %v, %s would %s (%s): %s", forgotten, now.input.Spec.Unit, step.Name(), step.Why, harm)
			}
		}
	})
}

func forget(t *rapid.T, in effect.Input) (effect.Input, []string) {
	in = decode[effect.Input](encode(in))
	var forgotten []string
	drop := func(what string) bool {
		if !rapid.Bool().Draw(t, "forget "+what) {
			return false
		}
		forgotten = append(forgotten, what)
		return true
	}
	for _, id := range slices.Sorted(maps.Keys(in.Facts)) {
		if drop("fact " + string(id)) {
			delete(in.Facts, id)
		}
	}
	in.Spec.Records = slices.DeleteFunc(in.Spec.Records, func(r effect.Record) bool { return drop("record " + r.Name) })
	for i := range in.Spec.Relations {
		r := &in.Spec.Relations[i]
		if len(r.Bag) > 0 && drop(fmt.Sprintf("bag of %s", r.Endpoint)) {
			r.Bag = nil
		}
		for j := range r.Units {
			if len(r.Units[j].Bag) > 0 && drop(fmt.Sprintf("bag of %s", r.Units[j].Unit)) {
				r.Units[j].Bag = nil
			}
		}
	}
	return in, forgotten
}

// harms says what is harmful in a step, "" where nothing is.
func harms(now moment, s effect.Step) string {
	switch {
	case s.Destroys:
		return "it destroys"
	case s.Disrupts:
		return "it disrupts"
	case s.Undoes():
		return "it undoes"
	case s.Kind == effect.Run && s.Effect.Task.Scope == effect.ApplicationScope:
		return "it is done for the whole application"
	case s.Kind == effect.Publish:
		return dropped(now, *s.Effect.Bag)
	default:
		return ""
	}
}

func dropped(now moment, b effect.Bag) string {
	for _, own := range now.seen.Live.Own {
		have := own.Unit
		if b.Application {
			have = own.Application
		}
		for _, key := range slices.Sorted(maps.Keys(have)) {
			if _, kept := b.Data[key]; !kept && own.Relation == b.Relation {
				return "it drops key " + key
			}
		}
	}
	return ""
}

// checkTeardown has the application leave, and a single unit before it.
func checkTeardown(t *testing.T, b sdk.Builtin, s Scenario) {
	m := New(t, b, s)
	m.Settle()
	if last := len(m.units) - 1; last > 0 {
		m.RemoveUnit(last)
		m.Settle()
	}
	units := m.Units()
	for _, u := range units {
		u.Forget()
	}
	m.RemoveApplication()
	m.Settle()
	for _, u := range m.units {
		if u.life != model.Dead {
			t.Fatalf("%s is still there:\n%s", u.name, m.pending())
		}
		for _, a := range u.journal {
			if a.Effect.Task == nil {
				t.Errorf("%s leaves %s behind", u.name, a.Effect.ID())
			}
		}
		for id, service := range u.seen.Services {
			if service.Running {
				t.Errorf("%s leaves %s running", u.name, id)
			}
		}
	}
	for _, u := range units {
		for _, step := range u.done {
			if step.Kind == effect.Start {
				t.Errorf("%s starts %s while it leaves", u.name, step.ID)
			}
			if step.Destroys {
				t.Errorf("%s destroys %s without a warrant", u.name, step.ID)
			}
		}
	}
}
