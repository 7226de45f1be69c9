package plan_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gantry-orchestrator/gantry/engine/plan"
	"github.com/gantry-orchestrator/gantry/engine/solver"
	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/charm"
	"github.com/gantry-orchestrator/gantry/model/effect"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

const sandbox = model.ModelName("m")

// charms answer as one charm does: a file with the option and an address, and
// a service that reloads it; with the option "restart" one that restarts.
type charms struct {
	mu    *sync.Mutex // charms are asked several at a time
	asked map[model.ApplicationName]int
	put   map[string]int // questions, whole
}

func (c charms) Reconcile(_ context.Context, _ effect.Charm, in effect.Input) (effect.Desired, error) {
	question, err := json.Marshal(in)
	if err != nil {
		return effect.Desired{}, err
	}
	c.mu.Lock()
	c.asked[in.Spec.Unit.Application]++
	c.put[string(question)]++
	c.mu.Unlock()
	message, _ := in.Spec.Config["message"].(string)
	if message == "refuse" {
		return effect.Desired{}, errors.New("refused")
	}
	want := effect.Desired{
		Files: []effect.File{{ID: "file/message", Path: "/etc/message", Content: effect.Content{
			{Text: message + "\npassword: "}, {Secret: &effect.SecretRef{ID: "secret:1", Field: "word"}}, {Text: "\nat " + in.Spec.Address + "\n"},
		}}},
		Services: []effect.Service{{ID: "service/app", Command: []string{"app"}, ReloadOn: []effect.ID{"file/message"}, Health: "app/health"}},
		Probes:   []effect.Probe{{ID: "app/health", TCP: "localhost:1"}},
	}
	if message == "restart" {
		want.Services[0].Command = []string{"app", "2"}
		want.Services[0].Turn = &effect.Turn{Name: "restart", Rank: -in.Spec.Unit.Number}
	}
	return want, nil
}

// world is a model of two applications that has converged.
type world struct {
	t       *testing.T
	state   state.State
	charms  charms
	reports map[state.UnitRef]effect.Report
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, state: state.Empty(), charms: charms{&sync.Mutex{}, map[model.ApplicationName]int{}, map[string]int{}}, reports: map[state.UnitRef]effect.Report{}}
	text := charm.StringValue("hello")
	declared := charm.Charm{Meta: charm.Meta{Name: "app"}, Config: charm.Config{Options: []charm.Option{{Name: "message", Type: charm.StringOption, Default: &text}}}}
	w.state = w.after(
		state.AddModel{Model: sandbox, UUID: "0123"}, state.AddCharm{Model: sandbox, Hash: "h", Declared: declared},
		state.AddApplication{Model: sandbox, Name: "app", Charm: "app", Hash: "h", Units: 2},
		state.AddApplication{Model: sandbox, Name: "other", Charm: "app", Hash: "h", Units: 1},
	)
	seen := solver.NewObserved(time.Time{})
	for range 10 {
		commands, _ := solver.Solve(w.state, solver.Everything(), seen)
		for _, c := range commands {
			w.state, _, _ = w.state.Apply(c)
		}
		for _, m := range w.state.Machines(sandbox) {
			if m.State == state.MachineRequested {
				w.state = w.apply(state.Agents, state.MachineJoined{Model: sandbox, Machine: m.Name, Address: "10.0.0." + string(m.Name)})
			}
		}
	}
	for _, u := range w.state.ModelUnits(sandbox) {
		w.reports[u.Ref()] = effect.Report{Unit: u.Name, Settled: true, Facts: map[effect.ProbeID]effect.Fact{"app/health": {Value: "true"}}}
	}
	return w
}

func (w *world) after(ops ...state.Op) state.State { return w.apply(state.Operator, ops...) }

func (w *world) apply(origin state.Origin, ops ...state.Op) state.State {
	w.t.Helper()
	next, _, err := w.state.Apply(state.Command{Version: state.FormatVersion, Origin: origin, Ops: ops})
	if err != nil {
		w.t.Fatal(err)
	}
	return next
}

func (w *world) planned(ops ...state.Op) (operator.Planned, error) {
	return w.config().Plan(context.Background(), sandbox, w.state, w.after(ops...))
}

func (w *world) config() plan.Config {
	return plan.Config{
		Charms: w.charms,
		Host:   func(model.UnitName, model.CharmName) effect.Host { return effect.Host{} },
		Report: func(u state.UnitRef) (effect.Report, bool) {
			r, ok := w.reports[u]
			return r, ok
		},
	}
}

// lines are those of a plan, without diffs.
func lines(p operator.Planned) []string {
	var all []string
	for _, u := range p.Units {
		for _, e := range u.Effects {
			all = append(all, fmt.Sprintf("%v: %s %s, %s", u.Unit, e.Action, e.Effect, e.Certainty))
		}
	}
	return all
}

func set(message string) state.Op {
	return state.SetConfig{Model: sandbox, Application: "app", Set: charm.Settings{"message": charm.StringValue(message)}}
}

func TestAPlanSaysWhatHappensOnEveryMachine(t *testing.T) {
	for _, tt := range []struct {
		name string
		op   state.Op
		want []string
	}{
		{"a value that is set already changes nothing", set("hello"), nil},
		{"a reloaded option", set("good morning"), []string{
			"app/0: change file/message, certain", "app/0: reload service/app, certain",
			"app/1: change file/message, certain", "app/1: reload service/app, certain",
		}},
		{"a restart goes in turn, the highest rank last", set("restart"), []string{
			"app/1: change file/message, certain", "app/1: restart service/app, certain",
			"app/0: change file/message, certain", "app/0: restart service/app, certain",
		}},
		{"a new unit's machine has no address yet", state.AddUnits{Model: sandbox, Application: "other", Count: 1}, []string{
			"other/1: add file/message, known after apply", "other/1: add service/app, certain",
		}},
		{"a unit that leaves is undone", state.RemoveUnits{Model: sandbox, Units: []model.UnitName{{Application: "app", Number: 1}}}, []string{
			"app/1: remove service/app, certain", "app/1: remove file/message, certain",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			got, err := w.planned(tt.op)
			if err != nil {
				t.Fatal(err)
			}
			if difference := cmp.Diff(tt.want, lines(got)); difference != "" {
				t.Error(difference)
			}
			again, err := w.planned(tt.op)
			if difference := cmp.Diff(got, again); difference != "" || err != nil {
				t.Errorf("planned again (%v): %s", err, difference)
			}
		})
	}
}

func TestAPlanShowsHowFilesChangeAndNoSecret(t *testing.T) {
	p, err := newWorld(t).planned(set("good morning"))
	if err != nil {
		t.Fatal(err)
	}
	want := "--- /etc/message\n+++ /etc/message\n@@ -1,3 +1,3 @@\n-hello\n+good morning\n password: (secret secret:1.word)\n at 10.0.0.0\n"
	if difference := cmp.Diff(want, p.Units[0].Effects[0].Diff); difference != "" {
		t.Error(difference)
	}
}

func TestAPlanPlacesNewUnits(t *testing.T) {
	p, err := newWorld(t).planned(state.AddUnits{Model: sandbox, Application: "app", Count: 1})
	if err != nil {
		t.Fatal(err)
	}
	want := []operator.Placement{{Unit: model.UnitName{Application: "app", Number: 2}, Machine: "3", New: true}}
	if !slices.Equal(p.Placements, want) {
		t.Errorf("placements %v, want %v", p.Placements, want)
	}
}

func TestOnlyTouchedUnitsAreAsked(t *testing.T) {
	w := newWorld(t)
	if _, err := w.planned(set("good morning")); err != nil {
		t.Fatal(err)
	}
	if w.charms.asked["other"] != 0 || w.charms.asked["app"] == 0 {
		t.Errorf("asked %v", w.charms.asked)
	}
}

func TestACharmThatDoesNotAnswerEndsThePlan(t *testing.T) {
	if _, err := newWorld(t).planned(set("refuse")); err == nil {
		t.Error("a plan without the charm's answer")
	}
}
