package controller_test

import (
	"slices"
	"testing"

	"github.com/gantry-orchestrator/gantry/charms/controller"
	"github.com/gantry-orchestrator/gantry/charms/sdk"
	"github.com/gantry-orchestrator/gantry/charms/sdk/sdktest"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

var builtin = sdk.Builtin{Name: "controller", Files: controller.Files, Charm: controller.Charm{}}

func two() sdktest.Scenario {
	return sdktest.Scenario{Units: 2, Changes: []map[string]any{{"port": int64(17171)}}}
}

func TestControllerKeepsWhatEveryCharmMust(t *testing.T) { sdktest.Check(t, builtin, two()) }

func TestControllerIsWellFormed(t *testing.T) {
	if err := sdktest.Lint(builtin); err != nil {
		t.Fatal(err)
	}
}

func TestAControllerJoinsOnceItRunsAndLeavesBeforeItStops(t *testing.T) {
	m := sdktest.New(t, builtin, two())
	m.Settle()
	m.Golden("two")
	steps := m.Unit(1).Done()
	at := func(kind effect.StepKind, id effect.ID) int {
		i := slices.IndexFunc(steps, func(s effect.Step) bool { return s.Kind == kind && s.ID == id })
		if i < 0 {
			t.Fatalf("no step %s %s among %v", kind, id, steps)
		}
		return i
	}
	if at(effect.Start, "service/controller") > at(effect.Run, "task/member") {
		t.Error("it joined before it ran")
	}
	leaving := m.Unit(1)
	m.RemoveUnit(1)
	m.Settle()
	steps = leaving.Done()
	if at(effect.Undo, "task/member") > at(effect.Remove, "service/controller") {
		t.Error("it stopped before it had left")
	}
}

func TestAControllerWithAReplicatedHistoryHasItsLibraryBeforeItStarts(t *testing.T) {
	s := two()
	s.Units, s.Config = 1, map[string]any{"replicated-history": true}
	m := sdktest.New(t, builtin, s)
	m.Settle()
	steps := m.Unit(0).Done()
	library := slices.IndexFunc(steps, func(s effect.Step) bool { return s.Kind == effect.Install && s.ID == "package/libdqlite0" })
	start := slices.IndexFunc(steps, func(s effect.Step) bool { return s.Kind == effect.Start && s.ID == "service/controller" })
	if library < 0 || library > start {
		t.Errorf("step %d installs the library, step %d starts the controller", library, start)
	}
}
