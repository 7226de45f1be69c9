package agent_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gantry-orchestrator/gantry/model/effect"
)

func TestAnAgentTellsWhatItDidForWhatIsTraced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMachine(t, webCharm)
		m.start()
		m.controller.set(web, configure("hello", 80))
		m.settle(web)
		c := m.controller
		c.mu.Lock()
		if len(c.spans) > 0 {
			t.Errorf("untraced, it tells %+v", c.spans)
		}
		c.trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
		c.mu.Unlock()
		c.set(web, configure("goodbye", 80))
		m.settle(web)
		c.mu.Lock()
		defer c.mu.Unlock()
		var names []string
		for _, s := range c.spans {
			names = append(names, s.Name)
			if s.Parent != c.trace || len(s.ID) != 16 || s.End.Before(s.Start) || s.Attributes["unit"] != web.String() {
				t.Errorf("it tells %+v", s)
			}
		}
		if !slices.ContainsFunc(names, func(n string) bool { return len(n) > 7 && n[:7] == "effect " }) {
			t.Errorf("it tells of %q, and of no effect", names)
		}
	})
}

func TestAnAgentTellsOfItselfAgainAndAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMachine(t, webCharm)
		m.start()
		m.controller.set(web, configure("hello", 80))
		m.settle(web)
		told := func() effect.Pulse {
			time.Sleep(20 * time.Second)
			synctest.Wait()
			m.controller.mu.Lock()
			defer m.controller.mu.Unlock()
			return m.controller.pulse
		}
		first := told()
		if first.Effects == 0 || first.Rounds == 0 || first.Services["running"] != 1 {
			t.Errorf("it tells %+v", first)
		}
		if second := told(); !second.Now.After(first.Now) {
			t.Errorf("it told nothing after %v", first.Now)
		}
	})
}
