package agent_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// leave puts what the unit's one run left where an agent finds it.
func (m *machine) leave(files map[string]string) {
	m.t.Helper()
	dirs, err := filepath.Glob(filepath.Join(m.root, "var/lib/gantry/tasks/web-0/*"))
	if err != nil || len(dirs) != 1 {
		m.t.Fatalf("the runs of the unit left %v (%v)", dirs, err)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dirs[0], name), []byte(text), 0o600); err != nil {
			m.t.Fatal(err)
		}
	}
}

// What is left of a command whose agent died before it could journal the end.
func TestATaskThatEndedWhileNoAgentRan(t *testing.T) {
	tests := []struct {
		name    string
		left    map[string]string
		yields  bool
		blocked bool
	}{
		{"it ended well: it is done, with its result", map[string]string{"code": "0\n", "out": "result\n"}, false, false},
		{"it ended well and its outcome holds: likewise", map[string]string{"code": "0\n", "out": "result\n"}, true, false},
		{"it failed: a person must look", map[string]string{"code": "1\n", "out": "result\n"}, false, true},
		{"it was killed: a person must look", map[string]string{"code": ""}, false, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			blocking := true
			m := newMachine(t, taskCharm(func(task *effect.Task) {
				task.Result = effect.PublicResult
				if !tt.yields {
					task.Yields = nil
				}
				if blocking {
					task.Run.Command = []string{"sleep", "600"}
				}
			}))
			cutShort(m, true, tt.yields)
			m.leave(tt.left)
			blocking = false
			m.start()
			if tt.blocked {
				m.await(func() bool { return m.controller.report(web).Status.Level == model.Blocked })
			} else {
				m.await(func() bool { return m.controller.report(web).Settled })
				want := effect.Record{Name: "task/init", Scope: effect.UnitScope, Value: "result"}
				if records := m.controller.intent(web).Spec.Records; !slices.Contains(records, want) {
					t.Errorf("records = %v", records)
				}
			}
			if m.runs() != 1 {
				t.Errorf("ran %d times", m.runs())
			}
		})
	}
}
