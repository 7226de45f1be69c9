package agent_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

var other = model.UnitName{Application: "other", Number: 0}

// machineCharm has each unit of a machine want the same task of its scope.
func machineCharm(change func(*effect.Task)) charm {
	return func(in effect.Input) effect.Desired {
		t := effect.Task{
			ID: "task/module", Key: "1", Scope: effect.MachineScope, Result: effect.PublicResult,
			Run:  effect.Exec{Command: []string{"sh", "-c", "echo ran >> runs; sleep 0.2; echo loaded"}, Dir: in.Host.Root},
			Undo: &effect.Exec{Command: []string{"sh", "-c", "echo undone >> runs"}, Dir: in.Host.Root},
		}
		change(&t)
		return effect.Desired{Tasks: []effect.Task{t}, Status: model.Status{Level: model.Active}}
	}
}

func (m *machine) ranOnMachine() string {
	b, err := os.ReadFile(filepath.Join(m.root, "runs"))
	if err != nil {
		return err.Error()
	}
	return strings.Join(strings.Fields(string(b)), " ")
}

func TestATaskOfMachineScopeRunsOnceForAllUnits(t *testing.T) {
	m := newMachine(t, machineCharm(func(*effect.Task) {}))
	m.start()
	for _, u := range []model.UnitName{web, other} {
		m.controller.set(u, configure("", 0))
	}
	settled := func() bool { return m.controller.report(web).Settled && m.controller.report(other).Settled }
	m.await(settled)
	if got := m.ranOnMachine(); got != "ran" {
		t.Errorf("for two units: %s", got)
	}
	want := effect.Record{Name: "task/module", Scope: effect.UnitScope, Value: "loaded"}
	for _, u := range []model.UnitName{web, other} {
		if records := m.controller.intent(u).Spec.Records; !slices.Contains(records, want) {
			t.Errorf("records of %v = %v", u, records)
		}
	}
	m.kill()
	m.start()
	late := model.UnitName{Application: "late", Number: 0}
	m.controller.set(late, configure("", 0))
	m.await(func() bool { return m.controller.report(late).Settled })
	if got := m.ranOnMachine(); got != "ran" {
		t.Errorf("for another, of a later agent: %s", got)
	}
	for _, u := range []model.UnitName{web, late, other} {
		if got := m.ranOnMachine(); got != "ran" {
			t.Errorf("while %v wants it: %s", u, got)
		}
		m.controller.set(u, func(s *effect.Spec, _ *effect.Live) { s.Life = model.Dead })
		m.await(func() bool { return m.controller.report(u).TornDown })
	}
	if got := m.ranOnMachine(); got != "ran undone" {
		t.Errorf("after the last unit has gone: %s", got)
	}
}

func TestATaskOfMachineScopeThatWasCutShortRunsForNoOther(t *testing.T) {
	blocking := true
	m := newMachine(t, machineCharm(func(task *effect.Task) {
		if blocking {
			task.Run.Command = []string{"sh", "-c", "echo ran >> runs; sleep 600"}
		}
	}))
	m.start()
	m.controller.set(web, configure("", 0))
	m.await(func() bool { return m.ranOnMachine() == "ran" })
	m.kill()
	blocking = false
	m.start()
	m.controller.set(other, configure("", 0))
	blocked := func(u model.UnitName) bool { return m.controller.report(u).Status.Level == model.Blocked }
	m.await(func() bool { return blocked(web) && blocked(other) })
	if said := m.controller.report(other).Status.Message; !strings.Contains(said, "gantry task resolve other/0 task/module") {
		t.Errorf("status does not say what to do: %s", said)
	}
	m.controller.operate(effect.Operation{ID: "1", Kind: effect.ResolveOperation, Unit: other, Action: "task/module", Params: map[string]any{"done": true}})
	m.await(func() bool { return m.controller.report(web).Settled && m.controller.report(other).Settled })
	if got := m.ranOnMachine(); got != "ran" {
		t.Errorf("it ran again: %s", got)
	}
}
