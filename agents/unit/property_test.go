package unit_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/gantry-orchestrator/gantry/agents/unit"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// drawDesired draws what a charm wants under one configuration: two files, a
// service that restarts on the one and reloads on the other, a task, a volume
// and a package, any of them absent.
func drawDesired(t *rapid.T, n int) effect.Desired {
	want := func(what string) bool { return rapid.IntRange(0, 3).Draw(t, fmt.Sprintf("%s in %d", what, n)) > 0 }
	version := func(what string) string {
		return fmt.Sprintf("%s-%d", what, rapid.IntRange(0, 2).Draw(t, fmt.Sprintf("version of %s in %d", what, n)))
	}
	d := effect.Desired{Status: model.Status{Level: model.Active}}
	var files, uses []effect.ID
	if want("package") {
		d.Packages = []effect.Package{{ID: "package/p", Name: "p"}}
		uses = append(uses, "package/p")
	}
	for _, name := range []string{"a", "b"} {
		if want(name) {
			id := effect.ID("file/" + name)
			d.Files = append(d.Files, effect.File{ID: id, Path: "/" + name, Content: effect.Content{{Text: version(name)}}})
			files = append(files, id)
		}
	}
	if want("volume") {
		d.Volumes = []effect.Volume{{ID: "volume/v", Path: "/v", Incarnation: "1"}}
		uses = append(uses, "volume/v")
	}
	if want("task") {
		task := effect.Task{ID: "task/t", Key: version("key"), Scope: effect.UnitScope, Idempotent: true, After: files, Needs: []effect.ProbeID{"task/t"}}
		task.Yields = map[effect.ProbeID]string{"task/t": task.Key}
		task.Undo = &effect.Exec{Command: []string{"undo"}}
		if want("turn of the task") {
			task.Turn = &effect.Turn{Name: "task"}
		}
		d.Tasks = []effect.Task{task}
		d.Probes = []effect.Probe{{ID: "task/t", File: "/t"}}
	}
	if want("service") {
		s := effect.Service{ID: "service/s", Command: []string{version("program")}, Uses: uses, Stopped: !want("running")}
		for _, f := range files {
			if f == "file/a" {
				s.RestartOn = append(s.RestartOn, f)
			} else {
				s.ReloadOn = append(s.ReloadOn, f)
			}
		}
		if want("turn of the service") {
			s.Turn = &effect.Turn{Name: "service"}
		}
		d.Services = []effect.Service{s}
	}
	d.Bags = []effect.Bag{{Relation: 1, Data: map[string]string{"v": version("bag")}, After: files}}
	return d
}

// follow gives a world's unit one configuration after the other.
func follow(w *world, configurations int) {
	for n := range configurations {
		w.change(func(s *effect.Spec, _ *effect.Live) {
			s.Unit = model.UnitName{Application: "app", Number: 1}
			s.Config = map[string]any{"n": float64(n)}
		})
		w.run()
	}
}

func desire(all []effect.Desired) func(effect.Input) effect.Desired {
	return func(in effect.Input) effect.Desired { return all[int(in.Spec.Config["n"].(float64))] }
}

func drawAll(t *rapid.T) []effect.Desired {
	var all []effect.Desired
	for n := range rapid.IntRange(1, 4).Draw(t, "configurations") {
		all = append(all, drawDesired(t, n))
	}
	return all
}

func TestACrashAnywhereComesToTheSameHost(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := drawAll(t)
		smooth, rough := newWorld(t, desire(all)), newWorld(t, desire(all))
		for _, w := range []*world{smooth, rough} {
			w.files["/b"] = "was there before"
		}
		rough.crashes = rapid.IntRange(1, 6).Draw(t, "crashes")
		follow(smooth, len(all))
		follow(rough, len(all))
		if smooth.host() != rough.host() {
			t.Fatalf("without crashes: %s\nwith crashes:    %s", smooth.host(), rough.host())
		}
		if rough.restarts["service/s"] > smooth.restarts["service/s"] {
			t.Fatalf("crashes of the agent restarted the service %d times, %d without", rough.restarts["service/s"], smooth.restarts["service/s"])
		}
	})
}

func TestASettledUnitIsLeftAlone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := drawAll(t)
		w := newWorld(t, desire(all))
		follow(w, len(all))
		last := all[len(all)-1]
		if next := unit.Step(w.state); len(next) != 0 {
			t.Fatalf("settled, and yet %+v", next)
		}
		w.state.Reported = ""
		next := unit.Step(w.state)
		report, ok := next[0].(unit.SendReport)
		if !ok || !report.Report.Settled || len(report.Report.Asks) != 0 {
			t.Fatalf("not settled under %+v: %+v", last, next)
		}
		// An agent that starts anew says what it finds and does nothing else.
		before, runs, pid := w.host(), len(w.runs), w.pid
		w.boot()
		w.run()
		if w.host() != before || len(w.runs) != runs || w.pid != pid {
			t.Fatalf("a new agent changed the host from %s to %s", before, w.host())
		}
	})
}

func TestATeardownPutsTheHostBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := drawAll(t)
		w := newWorld(t, desire(all))
		w.files["/b"] = "was there before"
		before := w.host()
		w.crashes = rapid.IntRange(0, 6).Draw(t, "crashes")
		follow(w, len(all)-1)
		// The last configuration may be under way when the unit has to go.
		w.change(func(s *effect.Spec, _ *effect.Live) {
			s.Unit = model.UnitName{Application: "app", Number: 1}
			s.Config = map[string]any{"n": float64(len(all) - 1)}
		})
		for range rapid.IntRange(0, 12).Draw(t, "rounds") {
			w.round()
		}
		w.change(func(s *effect.Spec, _ *effect.Live) { s.Life = model.Dead })
		w.run()
		if w.host() != before {
			t.Fatalf("before: %s\nafter:  %s", before, w.host())
		}
		if !w.state.Journal.Cleared {
			t.Fatal("the teardown does not end")
		}
	})
}

func TestWithoutItsTurnNothingIsDisrupted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := drawAll(t)
		w := newWorld(t, desire(all))
		follow(w, len(all))
		next := drawDesired(t, 9)
		for i := range next.Services {
			next.Services[i].Turn = &effect.Turn{Name: "withheld"}
		}
		for i := range next.Tasks {
			next.Tasks[i].Turn = &effect.Turn{Name: "withheld"}
		}
		pid, runs := w.pid, len(w.runs)
		first := w.running["service/s"].PID == 0
		w.desire = func(effect.Input) effect.Desired { return next }
		w.intent.Spec.Config = map[string]any{"n": float64(9)}
		w.change(func(*effect.Spec, *effect.Live) {})
		for range 100 {
			w.withhold()
		}
		if len(w.runs) != runs || w.pid != pid && !first {
			t.Fatalf("ran %v, pid %d became %d", w.runs, pid, w.pid)
		}
	})
}

// The controller looks at a report only after the charm wants more under the
// same turn, and the agent may die in between.
func TestNothingIsDoneUnderATurnThatWasGivenBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := drawAll(t)
		for n := range all {
			for i := range all[n].Services {
				all[n].Services[i].Turn = &effect.Turn{Name: "restart"}
			}
			for i := range all[n].Tasks {
				all[n].Tasks[i].Turn = &effect.Turn{Name: "restart"}
			}
		}
		w := newWorld(t, desire(all))
		w.late, w.crashes = true, rapid.IntRange(0, 4).Draw(t, "crashes")
		for n := range all {
			w.change(func(s *effect.Spec, _ *effect.Live) {
				s.Unit = model.UnitName{Application: "app", Number: 1}
				s.Config = map[string]any{"n": float64(n)}
			})
			for range rapid.IntRange(0, 30).Draw(t, "rounds") {
				w.round()
			}
		}
		w.run()
		if held := w.intent.Live.Grants; len(held) != 0 {
			t.Fatalf("at rest it holds %v", held)
		}
	})
}

// withhold carries an action out, and grants nothing.
func (w *world) withhold() {
	actions := slices.DeleteFunc(unit.Step(w.state), func(a unit.Action) bool {
		_, report := a.(unit.SendReport)
		return report
	})
	if len(actions) > 0 {
		w.act(actions[0])
		w.look()
	}
}

func TestFlappingStopsDisruption(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		flip := 0
		w := newWorld(t, func(in effect.Input) effect.Desired {
			return effect.Desired{
				Services: []effect.Service{{ID: "service/s", Command: []string{fmt.Sprint(flip % 2)}}},
				Probes:   []effect.Probe{{ID: "task/flip"}}, Status: model.Status{Level: model.Active},
			}
		})
		w.change(func(s *effect.Spec, _ *effect.Live) { s.Config = map[string]any{"n": 1.0} })
		w.run()
		for range 40 {
			flip++
			w.tasks["task/flip"] = fmt.Sprint(flip)
			w.now = w.now.Add(time.Second)
			w.state.Now = w.now
			w.look()
			w.run()
		}
		if w.restarts["service/s"] > 8 {
			t.Fatalf("restarted %d times", w.restarts["service/s"])
		}
		if got := w.state.Journal.Flapping; !slices.Equal(got, []effect.ID{"service/s"}) {
			t.Fatalf("flapping = %v", got)
		}
	})
}
