package agent_test

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gantry-orchestrator/gantry/model/effect"
)

func TestAnOlderIntentCountsOnlyFromALeaderWithAQuorum(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMachine(t, webCharm)
		m.start()
		m.controller.set(web, configure("old", 80))
		m.settle(web)
		old := m.controller.intent(web)
		m.controller.set(web, configure("new", 80))
		m.settle(web)

		m.controller.leave()
		m.controller.mu.Lock()
		m.controller.intents[web], m.controller.deposed = old, true
		m.controller.mu.Unlock()
		m.controller.come()
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := m.conf(); got != "greeting=new\n" {
			t.Errorf("a controller without a quorum had %q written", got)
		}
		m.controller.mu.Lock()
		m.controller.deposed = false
		m.controller.mu.Unlock()
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := m.conf(); got != "greeting=old\n" {
			t.Errorf("what a leader wants is not done: %q", got)
		}
	})
}

func TestLeadershipEndsWithoutEchoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var leads atomic.Bool
		m := newMachine(t, func(in effect.Input) effect.Desired {
			leads.Store(in.Live.Leader)
			return webCharm(in)
		})
		m.start()
		m.controller.set(web, configure("x", 80))
		m.controller.set(web, func(_ *effect.Spec, l *effect.Live) { l.Leader, l.Token = true, 5 })
		m.settle(web)
		if !leads.Load() {
			t.Fatal("the leader does not lead")
		}
		m.controller.leave()
		time.Sleep(effect.LeaseTerm - effect.LeaseMargin - effect.BeatInterval - 100*time.Millisecond)
		synctest.Wait()
		if !leads.Load() {
			t.Error("leadership ended early")
		}
		time.Sleep(effect.BeatInterval + 200*time.Millisecond)
		synctest.Wait()
		if leads.Load() {
			t.Error("leadership outlives its term")
		}
	})
}
