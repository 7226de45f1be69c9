package effect_test

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// host is a machine that does what it is told, through the public face of the
// package alone.
type host struct {
	journal []effect.Applied
	seen    effect.Observed
}

func newHost() *host {
	return &host{seen: effect.Observed{
		Spec:    effect.Spec{Unit: model.UnitName{Application: "app"}, Relations: []effect.Relation{{ID: 1}, {ID: 2}}},
		Live:    effect.Live{Leader: true, Token: 7},
		Volumes: map[effect.ID]string{},
	}}
}

// diff observes the volumes that are wanted, as an agent would.
func (h *host) diff(want effect.Desired) effect.Difference {
	for _, v := range want.Volumes {
		if _, known := h.seen.Volumes[v.ID]; !known {
			h.seen.Volumes[v.ID] = effect.VolumeEmpty
		}
	}
	return effect.Diff(h.journal, h.seen, want)
}

func (h *host) do(s effect.Step) {
	h.seen = h.seen.After(s)
	h.journal = effect.Journaled(h.journal, s)
}

// carryOut does all steps in an order drawn at random from those that their
// After allows.
func (h *host) carryOut(t *rapid.T, steps []effect.Step) {
	done := map[string]bool{}
	for left := slices.Clone(steps); len(left) > 0; {
		var ready []int
		for i, s := range left {
			if !slices.ContainsFunc(s.After, func(name string) bool { return !done[name] }) {
				ready = append(ready, i)
			}
		}
		if len(ready) == 0 {
			t.Fatalf("the steps wait for each other: %v", names(left))
		}
		i := rapid.SampledFrom(ready).Draw(t, "next")
		h.do(left[i])
		done[left[i].Name()] = true
		left = slices.Delete(left, i, i+1)
	}
}

func names(steps []effect.Step) (out []string) {
	for _, s := range steps {
		out = append(out, fmt.Sprint(s.Name(), s.After))
	}
	return out
}

// desired draws a valid Desired over a few ids, so that several draws overlap.
// Effects need only such as come before them in a drawn order of the ids.
func desired(t *rapid.T) effect.Desired {
	ids := []effect.ID{"package/a", "package/b", "software/w", "dir/d", "file/x", "file/y", "volume/v", "service/s", "service/r", "task/t", "task/u"}
	ids = rapid.Permutation(ids).Draw(t, "order")
	var d effect.Desired
	var earlier []effect.ID
	has := map[effect.ID]bool{}
	for _, id := range ids {
		if !rapid.Bool().Draw(t, "wanted") {
			continue
		}
		needs := func() []effect.ID {
			return rapid.SliceOfNDistinct(rapid.SampledFrom(append(slices.Clone(earlier), "")), 0, 2, rapid.ID[effect.ID]).
				Filter(func(ids []effect.ID) bool { return !slices.Contains(ids, "") }).Draw(t, "needs")
		}
		draw(t, &d, id, needs, has)
		earlier = append(earlier, id)
		has[id] = true
	}
	if rapid.Bool().Draw(t, "bag") {
		d.Bags = append(d.Bags, effect.Bag{Relation: 1, Data: map[string]string{"k": rapid.SampledFrom([]string{"1", "2"}).Draw(t, "v")}})
	}
	if rapid.Bool().Draw(t, "record") {
		d.Records = append(d.Records, effect.Record{Name: "founder", Scope: effect.ApplicationScope, Value: "app/0"})
	}
	return d
}

func draw(t *rapid.T, d *effect.Desired, id effect.ID, needs func() []effect.ID, has map[effect.ID]bool) {
	version := rapid.SampledFrom([]string{"1", "2"}).Draw(t, "variant")
	switch id {
	case "package/a", "package/b":
		d.Packages = append(d.Packages, effect.Package{ID: id, Name: string(id[8:]), Version: version})
	case "software/w":
		s := kafka(version)
		s.ID, s.After = id, needs()
		d.Software = append(d.Software, s)
	case "dir/d":
		d.Files = append(d.Files, effect.File{ID: id, Path: "/d", Dir: true, After: without(needs(), "file/x")})
	case "file/x", "file/y":
		dir := "/e"
		if id == "file/x" && has["dir/d"] {
			dir = "/d"
		}
		d.Files = append(d.Files, effect.File{ID: id, Path: dir + "/" + version, Content: effect.Content{{Text: version}}, After: needs()})
	case "volume/v":
		d.Volumes = append(d.Volumes, effect.Volume{ID: id, Path: "/v", Incarnation: version, After: needs()})
	case "service/s", "service/r":
		s := effect.Service{ID: id, Command: []string{"run", version}, Uses: needs(), RestartOn: needs(), ReloadOn: needs()}
		s.Stopped = rapid.IntRange(0, 4).Draw(t, "stopped") == 0
		if has["volume/v"] {
			s.Volume = "volume/v"
		}
		d.Services = append(d.Services, s)
	default:
		task := effect.Task{ID: id, Key: version, Scope: effect.UnitScope, Run: effect.Exec{Command: []string{"do"}}, Idempotent: true, After: needs()}
		if rapid.Bool().Draw(t, "undo") {
			task.Undo = &effect.Exec{Command: []string{"undo"}}
		}
		if rapid.Bool().Draw(t, "application") {
			task.Scope = effect.ApplicationScope
		}
		d.Tasks = append(d.Tasks, task)
	}
}

func without(ids []effect.ID, id effect.ID) []effect.ID {
	return slices.DeleteFunc(ids, func(other effect.ID) bool { return other == id })
}

func warrantAll(h *host) {
	h.seen.Live.Warrants = []effect.Warrant{{Volume: "volume/v", Incarnation: "*"}}
}

func TestAnyOrderOfTheStepsSettles(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := newHost()
		warrantAll(h)
		for range 3 {
			want := desired(t)
			if err := want.Validate(); err != nil {
				t.Fatalf("the generator is wrong: %v", err)
			}
			d := h.diff(want)
			if len(d.Obstacles) > 0 {
				t.Fatalf("obstacles: %v", d.Obstacles)
			}
			h.carryOut(t, d.Steps)
			// The package manager's own choice of version is noted in a second round.
			if d := h.diff(want); !d.Settled() {
				t.Fatalf("not settled: %v %v", names(d.Steps), d.Obstacles)
			}
		}
	})
}

func TestACrashAnywhereReachesTheSameHost(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := newHost()
		warrantAll(h)
		before, want := desired(t), desired(t)
		h.carryOut(t, h.diff(before).Steps)
		steps := h.diff(want).Steps
		crash := rapid.IntRange(0, len(steps)).Draw(t, "crash")
		for _, s := range steps[:crash] {
			h.do(s)
		}
		if crash < len(steps) && rapid.Bool().Draw(t, "done but not journaled") {
			h.seen = h.seen.After(steps[crash])
		}
		h.carryOut(t, h.diff(want).Steps)
		if d := h.diff(want); !d.Settled() {
			t.Fatalf("not settled after a crash at %d: %v %v", crash, names(d.Steps), d.Obstacles)
		}
	})
}

func TestTeardownLeavesNothingAndStopsNothingBeforeItsDependant(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := newHost()
		warrantAll(h)
		for range rapid.IntRange(1, 3).Draw(t, "rounds") {
			h.carryOut(t, h.diff(desired(t)).Steps)
		}
		gone := map[effect.ID]bool{}
		journal := h.journal
		h.seen.Spec.Life = model.Dying
		steps := h.diff(effect.Desired{}).Steps
		for _, s := range steps {
			if !s.Undoes() {
				t.Fatalf("teardown does %q", s.Name())
			}
			for i, a := range journal {
				dependant := a.Effect.ID()
				newest := !slices.ContainsFunc(journal[i+1:], func(o effect.Applied) bool { return o.Effect.ID() == dependant })
				if newest && needs(a.Effect, s.ID) && ends(steps, dependant) && !gone[dependant] {
					t.Fatalf("%s goes before %s, which needs it", s.ID, dependant)
				}
			}
			gone[s.ID] = true
		}
		h.carryOut(t, steps)
		for _, a := range h.journal {
			if a.Effect.Task == nil || a.Effect.Task.Undo != nil {
				t.Fatalf("left behind: %s", a.Effect.ID())
			}
		}
		for id, s := range h.seen.Services {
			if s.Running {
				t.Fatalf("%s still runs", id)
			}
		}
		if len(h.seen.Packages) > 0 {
			t.Fatalf("packages left: %v", h.seen.Packages)
		}
	})
}

func TestAPartialAnswerUndoesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := newHost()
		h.carryOut(t, h.diff(desired(t)).Steps)
		want := desired(t)
		want.Partial = "the rest is not known"
		own := h.seen.Live.Own
		for _, s := range h.diff(want).Steps {
			if s.Undoes() {
				t.Fatalf("it does %q", s.Name())
			}
			if s.Kind == effect.Publish {
				for _, o := range own {
					for key := range o.Unit {
						if _, kept := s.Effect.Bag.Data[key]; !kept && o.Relation == s.Effect.Bag.Relation {
							t.Fatalf("key %q is dropped", key)
						}
					}
				}
			}
		}
	})
}

func TestNothingIsDestroyedWithoutAWarrant(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := newHost()
		for range 3 {
			want := desired(t)
			d := h.diff(want)
			for _, s := range d.Steps {
				if s.Destroys {
					t.Fatalf("it does %q", s.Name())
				}
				if s.Kind == effect.Start && s.Effect.Service.Volume != "" {
					v := want.Volumes[0]
					stamping := slices.ContainsFunc(d.Steps, func(o effect.Step) bool { return o.Kind == effect.Stamp })
					if h.seen.Volumes[v.ID] != effect.VolumeStamped+v.Incarnation && !stamping {
						t.Fatalf("%s starts on %q, wanted incarnation %s", s.ID, h.seen.Volumes[v.ID], v.Incarnation)
					}
				}
			}
			h.carryOut(t, d.Steps)
		}
	})
}

func TestOnlyTheLeaderAddsOrUndoesWhatIsTheApplications(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := newHost()
		h.carryOut(t, h.diff(desired(t)).Steps)
		h.seen.Live.Leader = false
		for _, s := range h.diff(desired(t)).Steps {
			task := s.Effect.Task
			if s.Kind == effect.Propose || task != nil && task.Scope == effect.ApplicationScope {
				t.Fatalf("a unit that does not lead does %q", s.Name())
			}
		}
	})
}

func needs(e effect.Effect, id effect.ID) bool {
	switch {
	case e.File != nil:
		return slices.Contains(e.File.After, id)
	case e.Volume != nil:
		return slices.Contains(e.Volume.After, id)
	case e.Service != nil:
		s := e.Service
		return s.Volume == id || slices.Contains(slices.Concat(s.Uses, s.RestartOn, s.ReloadOn), id)
	case e.Task != nil:
		return slices.Contains(e.Task.After, id)
	default:
		return false
	}
}

func ends(steps []effect.Step, id effect.ID) bool {
	return slices.ContainsFunc(steps, func(s effect.Step) bool { return s.ID == id })
}
