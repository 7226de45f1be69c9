package agent_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// taskCharm wants one task, which appends a line to a file and may be seen to
// be done by another.
func taskCharm(change func(*effect.Task)) charm {
	return func(in effect.Input) effect.Desired {
		t := effect.Task{
			ID: "task/init", Key: "1", Scope: effect.UnitScope,
			Run:    effect.Exec{Command: []string{"sh", "-c", "echo ran >> runs; echo yes > done"}, Dir: in.Host.Data},
			Yields: map[effect.ProbeID]string{"done": "yes"},
		}
		change(&t)
		return effect.Desired{
			Tasks:  []effect.Task{t},
			Probes: []effect.Probe{{ID: "done", File: filepath.Join(in.Host.Data, "done")}},
			Status: model.Status{Level: model.Active},
		}
	}
}

func (m *machine) data(name string) string {
	return filepath.Join(m.root, "var/lib/gantry/data/web-0", name)
}

func (m *machine) runs() int {
	b, err := os.ReadFile(m.data("runs"))
	if err != nil {
		return 0
	}
	return strings.Count(string(b), "ran")
}

// cutShort has the agent killed in the middle of its first run: after the
// command, or before it.
func cutShort(m *machine, ran, done bool) {
	gate := m.data("gate")
	m.start()
	m.controller.set(web, configure("", 0))
	for i := 0; i < 200; i++ {
		time.Sleep(100 * time.Millisecond)
		if b, err := os.ReadFile(filepath.Join(m.root, "var/lib/gantry/journal/web-0")); err == nil && strings.Contains(string(b), `"opened"`) {
			break
		}
	}
	m.kill()
	_ = os.Remove(gate)
	if ran {
		_ = os.WriteFile(m.data("runs"), []byte("ran\n"), 0o600)
	}
	if done {
		_ = os.WriteFile(m.data("done"), []byte("yes\n"), 0o600)
	}
}

func TestATaskThatACrashCutShort(t *testing.T) {
	tests := []struct {
		name       string
		idempotent bool
		done       bool // its postcondition holds
		runs       int  // in all, the one that was cut short among them
		blocked    bool
	}{
		{"its outcome holds: it is done", false, true, 1, false},
		{"its outcome holds: it is done, idempotent or not", true, true, 1, false},
		{"its outcome does not hold and it is idempotent: it runs again", true, false, 2, false},
		{"its outcome does not hold and it is not idempotent: a person must look", false, false, 1, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			blocking := true
			m := newMachine(t, taskCharm(func(task *effect.Task) {
				task.Idempotent = tt.idempotent
				if blocking {
					task.Run.Command = []string{"sleep", "600"}
				}
			}))
			cutShort(m, true, tt.done)
			blocking = false
			m.start()
			deadline := time.Now().Add(10 * time.Second)
			for time.Now().Before(deadline) {
				r := m.controller.report(web)
				if r.Settled || r.Status.Level == model.Blocked {
					break
				}
				time.Sleep(20 * time.Millisecond)
			}
			r := m.controller.report(web)
			if m.runs() != tt.runs || r.Settled == tt.blocked || (r.Status.Level == model.Blocked) != tt.blocked {
				t.Fatalf("ran %d times, settled %t, status %v", m.runs(), r.Settled, r.Status)
			}
			if tt.blocked && !strings.Contains(r.Status.Message, "gantry task resolve") {
				t.Errorf("status does not say what to do: %v", r.Status)
			}
		})
	}
}

func TestAnOperatorResolvesATaskOfUnknownOutcome(t *testing.T) {
	for _, done := range []bool{true, false} {
		blocking := true
		m := newMachine(t, taskCharm(func(task *effect.Task) {
			if blocking {
				task.Run.Command = []string{"sleep", "600"}
			}
		}))
		cutShort(m, true, false)
		blocking = false
		m.start()
		m.await(func() bool { return m.controller.report(web).Status.Level == model.Blocked })
		m.controller.operate(effect.Operation{ID: "1", Kind: effect.ResolveOperation, Unit: web, Action: "task/init", Params: map[string]any{"done": done}})
		if done {
			// The probe says otherwise, so that it is drift: it runs again.
			m.await(func() bool { return m.runs() == 2 })
		}
		m.await(func() bool { return m.controller.report(web).Settled })
		if m.runs() != 2 {
			t.Errorf("done %t: ran %d times", done, m.runs())
		}
	}
}

// await waits, in real time, until something holds.
func (m *machine) await(holds func() bool) {
	m.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			m.t.Fatalf("it does not come about: %+v", m.controller.report(web))
		}
	}
}

func (c *controller) operate(op effect.Operation) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.session.push(effect.Downward{Operation: &op})
}

func TestAnApplicationTaskRunsUnderAClaimOfTheLeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMachine(t, taskCharm(func(task *effect.Task) {
			task.Scope, task.Result = effect.ApplicationScope, effect.PublicResult
			task.Run = effect.Exec{Call: "found"}
			task.Yields, task.Idempotent = nil, true
		}))
		m.start()
		m.controller.set(web, configure("", 0))
		m.settle(web)
		if len(m.controller.claims) != 0 {
			t.Fatalf("who does not lead claimed %v", m.controller.claims)
		}
		m.controller.set(web, func(_ *effect.Spec, l *effect.Live) { l.Leader, l.Token = true, 42 })
		m.settle(web)
		in := m.controller.intent(web)
		if len(m.controller.claims) != 1 || m.controller.claims[0].Token != 42 {
			t.Errorf("claims = %+v", m.controller.claims)
		}
		if want := (effect.Record{Name: "task/init", Scope: effect.ApplicationScope, Value: "called found"}); !slices.Contains(in.Spec.Records, want) {
			t.Errorf("records = %v", in.Spec.Records)
		}
		if len(in.Live.Receipts) != 1 || in.Live.Receipts[0].State != effect.ClaimDone {
			t.Errorf("receipts = %v", in.Live.Receipts)
		}
	})
}

func TestAFileHoldsItsSecret(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMachine(t, func(in effect.Input) effect.Desired {
			d := effect.Desired{
				Secrets: []effect.SecretSpec{{Name: "password", Scope: effect.UnitScope, Fields: map[string]effect.SecretField{"value": {Random: 20}}}},
				Status:  model.Status{Level: model.Active},
			}
			for _, s := range in.Spec.Secrets {
				d.Files = append(d.Files, effect.File{
					ID: "file/pass", Path: filepath.Join(in.Host.Config, "pass"), Mode: 0o600,
					Content: effect.Content{{Text: "p="}, {Secret: &effect.SecretRef{ID: s.ID, Field: "value", Encoding: effect.Quoted}}},
				})
			}
			return d
		})
		m.start()
		m.controller.set(web, configure("", 0))
		m.settle(web)
		b, err := os.ReadFile(filepath.Join(m.root, "var/lib/gantry/config/web-0/pass"))
		if err != nil {
			t.Fatal(err)
		}
		secret := string(m.controller.secrets[m.controller.intent(web).Spec.Secrets[0].ID]["value"])
		if len(secret) != 20 || string(b) != `p="`+secret+`"` {
			t.Errorf("file = %q, secret %q", b, secret)
		}
		if info, err := os.Stat(filepath.Join(m.root, "var/lib/gantry/config/web-0/pass")); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("mode = %v (%v)", info.Mode(), err)
		}
		journal, err := os.ReadFile(filepath.Join(m.root, "var/lib/gantry/journal/web-0"))
		if err != nil || strings.Contains(string(journal), secret) {
			t.Errorf("the secret is in the journal (%v)", err)
		}
	})
}

func TestAnActionAndACommandRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMachine(t, webCharm)
		m.start()
		m.controller.set(web, configure("", 0))
		m.settle(web)
		m.controller.operate(effect.Operation{ID: "1", Kind: effect.ActionOperation, Unit: web, Action: "backup"})
		m.controller.operate(effect.Operation{ID: "2", Kind: effect.ExecOperation, Command: []string{"sh", "-c", "echo out; echo err >&2; exit 3"}})
		time.Sleep(5 * time.Second)
		synctest.Wait()
		results := map[string]effect.OperationResult{}
		for _, r := range m.controller.results {
			results[r.ID] = r
		}
		if r := results["1"]; r.Failed != "" || r.Output["ran"] != "backup" || r.Output["unit"] != "web/0" {
			t.Errorf("action = %+v", r)
		}
		if r := results["2"]; r.Failed != "" || r.Code != 3 || r.Stdout != "out\n" || r.Stderr != "err\n" {
			t.Errorf("exec = %+v", r)
		}
	})
}
