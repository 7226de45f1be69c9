package agent_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

func TestATurnIsHeldUntilItsClearWasReadAfterTheRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMachine(t, func(in effect.Input) effect.Desired {
			return effect.Desired{
				Services: []effect.Service{{
					ID: "service/db", Command: []string{"/bin/db", fmt.Sprint(in.Spec.Config["port"])}, Health: "up",
					Turn: &effect.Turn{Name: "restart", Clear: "synced"},
				}},
				Probes: []effect.Probe{
					{ID: "up", File: filepath.Join(in.Host.Data, "up")}, {ID: "synced", File: filepath.Join(in.Host.Data, "synced")},
				},
				Status: model.Status{Level: model.Active},
			}
		})
		say := func(name, value string) {
			if err := os.WriteFile(m.data(name), []byte(value), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		m.controller.grant = true
		m.start()
		m.controller.set(web, configure("", 1))
		time.Sleep(time.Second)
		say("up", "true")
		say("synced", "true")
		m.settle(web)

		m.controller.set(web, configure("", 2))
		say("synced", "false") // as it is when the restart has just happened; read before it is true
		time.Sleep(30 * time.Second)
		synctest.Wait()
		if grants := m.controller.intent(web).Live.Grants; len(grants) != 1 {
			t.Errorf("grants = %v, want that of the restart to be held", grants)
		}
		say("synced", "true")
		m.settle(web)
		if grants := m.controller.intent(web).Live.Grants; len(grants) != 0 {
			t.Errorf("grants = %v after it has cleared", grants)
		}
	})
}
