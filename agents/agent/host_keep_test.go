package agent_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/gantry-orchestrator/gantry/engine/provider"
	"github.com/gantry-orchestrator/gantry/engine/provider/fake"
	"github.com/gantry-orchestrator/gantry/model"
)

func TestAHostAgentKeepsMachinesThatARestoredControllerDoesNotKnowUntilItIsSettled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := fake.Open(&fake.Host{}, "one")
		if _, err := p.Create(t.Context(), provider.Spec{UUID: "u-9", Model: "newer", Name: "9", Hostname: "newer-9"}); err != nil {
			t.Fatal(err)
		}
		m := host(t, p)
		for _, step := range []struct {
			keep bool
			want int
		}{{true, 2}, {false, 1}} {
			w := wants(model.Alive)
			w.Keep = step.keep
			m.changed <- w
			time.Sleep(10 * time.Second)
			synctest.Wait()
			if list, err := p.List(t.Context()); err != nil || len(list) != step.want {
				t.Errorf("keep %v: machines %v, %v", step.keep, list, err)
			}
		}
	})
}
