package agent_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gantry-orchestrator/gantry/agents/agent"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// slowCharm has actions that take a minute.
type slowCharm struct {
	charm
	ran *int
}

func (c slowCharm) RunAction(ctx context.Context, _ effect.Charm, _ string, _ effect.Invocation) (map[string]string, error) {
	*c.ran++
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-time.After(time.Minute):
		return map[string]string{"was": "slow"}, nil
	}
}

// slowMachine runs web/0, whose actions take a minute; ran counts them.
func slowMachine(t *testing.T) (m *machine, ran *int) {
	m, ran = newMachine(t, webCharm), new(int)
	m.config = func(c *agent.Config) { c.Charms = slowCharm{webCharm, ran} }
	m.start()
	m.controller.set(web, configure("", 0))
	m.settle(web)
	return m, ran
}

func TestAnOperationThatItsAgentDidNotSurviveIsNotRunAgainAndEndsAsUnknown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, ran := slowMachine(t)
		op := effect.Operation{ID: "1", Kind: effect.ActionOperation, Unit: web, Action: "backup"}
		m.controller.operate(op)
		time.Sleep(time.Second)
		m.kill()
		if len(m.controller.results) != 0 {
			t.Errorf("before the restart it ended with %+v", m.controller.results)
		}
		m.start()
		time.Sleep(time.Second)
		m.controller.operate(op)
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		if r := m.controller.results; *ran != 1 || len(r) != 1 || r[0].ID != "1" || !strings.Contains(r[0].Failed, "outcome unknown: the agent was restarted") {
			t.Errorf("it ran %d times and ended with %+v", *ran, r)
		}
	})
}

func TestAnOperationThatIsPushedAgainRunsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, ran := slowMachine(t)
		op := effect.Operation{ID: "1", Kind: effect.ActionOperation, Unit: web, Action: "backup"}
		m.controller.operate(op)
		time.Sleep(time.Second)
		m.controller.operate(op) // as a new session does
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if r := m.controller.results; *ran != 1 || len(r) != 1 || r[0].Output["was"] != "slow" {
			t.Fatalf("it ran %d times and ended with %+v", *ran, r)
		}
		m.kill()
		m.start()
		time.Sleep(time.Second)
		m.controller.operate(op)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if *ran != 1 {
			t.Error("it ran again after it had ended")
		}
		op.Asked = op.Asked.Add(time.Hour) // after a restore numbers are used again
		m.controller.operate(op)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if *ran != 2 {
			t.Error("another operation of the same number did not run")
		}
	})
}

func TestAResultThatNoControllerHasHeardIsToldByTheNextAgent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, ran := slowMachine(t)
		op := effect.Operation{ID: "1", Kind: effect.ActionOperation, Unit: web, Action: "backup"}
		m.controller.operate(op)
		time.Sleep(time.Second)
		m.controller.leave()
		time.Sleep(2 * time.Minute)
		m.kill()
		m.controller.come()
		m.start()
		time.Sleep(time.Second)
		m.controller.operate(op)
		time.Sleep(time.Second)
		synctest.Wait()
		if r := m.controller.results; *ran != 1 || len(r) != 1 || r[0].Output["was"] != "slow" {
			t.Errorf("it ran %d times and ended with %+v", *ran, r)
		}
	})
}
