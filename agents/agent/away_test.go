package agent_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// Secrets are kept in memory alone: an agent that starts with no controller in
// reach cannot read them, and needs to only for what it would write.
func TestAnAgentThatStartsWithoutAControllerUndoesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMachine(t, func(in effect.Input) effect.Desired {
			d := effect.Desired{
				Secrets: []effect.SecretSpec{{Name: "password", Scope: effect.UnitScope, Fields: map[string]effect.SecretField{"value": {Random: 20}}}},
				Status:  model.Status{Level: model.Active},
			}
			for _, s := range in.Spec.Secrets {
				d.Files = append(d.Files, effect.File{
					ID: "file/pass", Path: filepath.Join(in.Host.Config, "pass"), Mode: 0o600,
					Content: effect.Content{{Secret: &effect.SecretRef{ID: s.ID, Field: "value"}}},
				})
				d.Services = []effect.Service{{ID: "service/web", Command: []string{"/bin/web"}, Uses: []effect.ID{"file/pass"}, RestartOn: []effect.ID{"file/pass"}}}
			}
			return d
		})
		m.start()
		m.controller.set(web, configure("", 0))
		m.settle(web)
		path := filepath.Join(m.root, "var/lib/gantry/config/web-0/pass")
		before, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		m.kill()
		m.supervisor.did()
		m.controller.leave()
		m.start()
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if after, err := os.ReadFile(path); err != nil || string(after) != string(before) {
			t.Errorf("the file became %q (%v)", after, err)
		}
		if did := m.supervisor.did(); len(did) > 0 {
			t.Errorf("the supervisor was asked to %q", did)
		}
		m.supervisor.crash("web-0/service/web")
		time.Sleep(time.Minute)
		synctest.Wait()
		if p := m.supervisor.process("web-0/service/web"); p.PID == 0 {
			t.Error("the service is down")
		}
		m.controller.come()
		m.settle(web)
	})
}

func TestLinesThatWereLoggedWithoutAnAgentAreSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMachine(t, webCharm)
		path := filepath.Join(m.root, "var/log/gantry/web-0/service-web.log")
		says := func(text string) {
			f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
			if err == nil {
				_, err = f.WriteString(text + "\n")
			}
			if err := errors.Join(err, f.Close()); err != nil {
				t.Fatal(err)
			}
			time.Sleep(5 * time.Second)
			synctest.Wait()
		}
		m.start()
		m.controller.set(web, configure("", 0))
		m.settle(web)
		says("one")
		m.kill()
		says("two")
		m.start()
		time.Sleep(5 * time.Second)
		says("three")
		m.kill()
		if err := os.Rename(path, path+".1"); err != nil {
			t.Fatal(err)
		}
		says("four, in another file")
		m.start()
		says("five")
		var got []string
		for _, l := range m.controller.logs {
			got = append(got, l.Text)
		}
		if want := []string{"one", "two", "three", "four, in another file", "five"}; !slices.Equal(got, want) {
			t.Errorf("lines %q, want %q", got, want)
		}
	})
}
