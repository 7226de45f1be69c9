package e2e

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gantry-orchestrator/gantry/model/operator"
)

// council is an install with several controllers.
type council struct {
	*install
	work   workspace // a workload, which none of this may touch
	own    workspace // the model of the controllers
	writes *writers
}

// TestControllersOutliveEachOther breaks controllers in every way while
// operators write.
func TestControllersOutliveEachOther(t *testing.T) {
	in := open(t)
	c := &council{install: in, work: workspace{in, "default"}, own: workspace{in, "controller"}}
	c.work.gantry(t, "deploy", "beacon")
	c.enable(t, 3)
	c.work.converge(t, time.Minute)
	t.Run("the history is that of each controller, and holds nothing up", func(t *testing.T) { historyReplicated(t, c) })
	c.writes = begin(t, in)
	for _, story := range []struct {
		name string
		tell func(*testing.T, *council)
	}{
		{"a killed leader on the host loses nothing that was acknowledged", leaderKilledOnHost},
		{"a killed leader on a machine loses nothing that was acknowledged", leaderKilledOnMachine},
		{"a leader that is paused is succeeded, and does nothing when it goes on", leaderPaused},
		{"a leader that is cut off is succeeded, and follows once it is joined again", leaderCut},
		{"a leader that is told to stop hands leadership on first", leaderStopped},
		{"controllers restart one by one", rollingRestart},
		{"every acknowledged write happened, once, in an order that all reads agree with", audited},
		{"with two of three lost reads are stale, writes are refused, and services run on", majorityLost},
		{"a dead controller is replaced by a new one", deadReplaced},
		{"three controllers become one again", oneAgain},
	} {
		t.Run(story.name, func(t *testing.T) { story.tell(t, c) })
	}
}

// enable asks for so many controllers, which then take part.
func (c *council) enable(t testing.TB, count int) {
	t.Helper()
	began := time.Now()
	c.patient(t, 3*time.Minute, "enable-ha", "-n", fmt.Sprint(count), "--timeout", "150s")
	figure(fmt.Sprintf("%d controllers enabled", count), time.Since(began).Seconds(), "s", "seconds; minutes where the base is built first")
	if list := c.list(t); len(list) != count {
		t.Fatalf("%d controllers, wanted %d: %+v", len(list), count, list)
	}
}

func (c *council) list(t testing.TB) []operator.Controller {
	t.Helper()
	return ask[[]operator.Controller](t, c.install, "controllers")
}

// leader waits until a controller leads and all of them answer.
func (c *council) leader(t testing.TB) (found operator.Controller) {
	t.Helper()
	eventually(t, time.Minute, "a controller leads and all answer", func() error {
		r := c.run(20*time.Second, "controllers", "-o", "json")
		if r.code != 0 || r.err != "" {
			return errors.New(r.err)
		}
		found = operator.Controller{}
		for _, m := range decode[[]operator.Controller](t, r.out) {
			if !m.Answers || m.Role == operator.CatchingUp {
				return fmt.Errorf("%s at %s is %s and answers: %v", m.ID, m.Address, m.Role, m.Answers)
			}
			if m.Role == operator.Leads {
				found = m
			}
		}
		if found.ID == "" {
			return errors.New("nobody leads")
		}
		return nil
	})
	return found
}

// lead has a controller lead: that on the host, or another.
func (c *council) lead(t testing.TB, onHost bool) operator.Controller {
	t.Helper()
	for _, m := range c.list(t) {
		if m.Unit.IsZero() == onHost {
			c.leader(t)
			c.gantry(t, "controllers", "transfer", m.ID)
			break
		}
	}
	now := c.leader(t)
	if now.Unit.IsZero() != onHost {
		t.Fatalf("%s leads", now.Address)
	}
	return now
}

// process is that of a controller.
func (c *council) process(t testing.TB, m operator.Controller) process {
	t.Helper()
	if m.Unit.IsZero() {
		return c.role(t, "controller")
	}
	return machineOf(t, c.own.status(t), m.Unit.String()).one(t, "controller", isController)
}

func isController(p process) bool {
	return filepath.Base(p.args[0]) == "gantry" && len(p.args) > 1 && p.args[1] == "controller" && slices.Contains(p.args, "--listen")
}

// strike breaks something under the writers, and records how long no write was
// acknowledged. It returns who leads afterwards.
func (c *council) strike(t *testing.T, what, goal string, do func()) operator.Controller {
	t.Helper()
	c.writes.flow(t, time.Now())
	from := time.Now()
	do()
	c.writes.flow(t, from.Add(3*time.Second))
	gap := c.writes.gap(from)
	figure("no write acknowledged, "+what, gap.Seconds(), "s", goal)
	if gap > 10*time.Second {
		t.Errorf("no write was acknowledged for %v", gap)
	}
	return c.leader(t)
}

func leaderKilledOnHost(t *testing.T, c *council) {
	old := c.lead(t, true)
	c.strike(t, "leader killed, on the host", "goal 1 s", func() { c.process(t, old).signal(t, syscall.SIGKILL) })
}

func leaderKilledOnMachine(t *testing.T, c *council) {
	old := c.lead(t, false)
	c.strike(t, "leader killed, on a machine", "goal 1 s", func() { c.process(t, old).signal(t, syscall.SIGKILL) })
}

func leaderPaused(t *testing.T, c *council) {
	old := c.lead(t, false)
	paused := c.process(t, old)
	now := c.strike(t, "leader paused for 4 s", "goal 1 s", func() {
		paused.signal(t, syscall.SIGSTOP)
		time.AfterFunc(4*time.Second, func() { paused.signal(t, syscall.SIGCONT) })
	})
	if now.ID == old.ID {
		t.Errorf("it was paused, and leads")
	}
}

func leaderCut(t *testing.T, c *council) {
	old := c.lead(t, false)
	at := string(unit(t, c.own.status(t), old.Unit.String()).Machine)
	c.writes.flow(t, time.Now())
	from := time.Now()
	c.own.gantry(t, "fault", "cut", at)
	c.writes.flow(t, from.Add(4*time.Second))
	c.own.gantry(t, "fault", "heal", at)
	figure("no write acknowledged, leader cut off", c.writes.gap(from).Seconds(), "s", "goal 1 s")
	if now := c.leader(t); now.ID == old.ID {
		t.Errorf("it was cut off, and leads")
	}
}

func leaderStopped(t *testing.T, c *council) {
	old := c.lead(t, true)
	now := c.strike(t, "leader told to stop", "less than an election", func() { c.process(t, old).signal(t, syscall.SIGTERM) })
	if now.ID == old.ID {
		t.Errorf("it was stopped, and leads")
	}
}

// rollingRestart gives the controllers on machines another port, which takes a
// restart of each.
func rollingRestart(t *testing.T, c *council) {
	before := map[string]string{}
	for _, m := range c.list(t) {
		before[m.ID] = m.Address
	}
	c.strike(t, "rolling restart", "less than an election for each", func() {
		c.own.gantry(t, "config", "controller", "port=17999")
		c.own.converge(t, time.Minute)
	})
	eventually(t, time.Minute, "those on machines are known at their new port", func() error {
		for _, m := range c.list(t) {
			if moved := strings.HasSuffix(m.Address, ":17999"); moved == m.Unit.IsZero() || !moved && before[m.ID] != m.Address {
				return fmt.Errorf("%s is at %s", m.ID, m.Address)
			}
		}
		return nil
	})
}

func audited(t *testing.T, c *council) {
	c.writes.end(t)
	figure("writes acknowledged under faults", float64(c.writes.count()), "writes", "none lost, none twice")
	c.writes.audit(t, 1) // the controllers' port
}

func majorityLost(t *testing.T, c *council) {
	c.lead(t, true)
	before := machineOf(t, c.work.status(t), "beacon/0").services()
	machines := c.own.status(t).Machines
	for _, m := range machines {
		c.own.gantry(t, "fault", "cut", string(m.Name))
	}
	eventually(t, 30*time.Second, "reads say that they are stale", func() error {
		r := c.run(20*time.Second, c.work.of("status")...)
		if r.code != 0 || !strings.Contains(r.err, "stale: index ") || !strings.Contains(r.err, "1 of 3 controllers answer") {
			return fmt.Errorf("exit %d, it says %q", r.code, r.err)
		}
		return nil
	})
	r := c.run(time.Minute, c.work.of("config", "beacon", "message=lost")...)
	if r.code == 0 || !strings.Contains(r.err, "1 of 3 controllers answer") || !strings.Contains(r.err, "missing: ") {
		t.Errorf("a write without a majority: exit %d, it says %q", r.code, r.err)
	}
	for _, m := range machines {
		c.own.gantry(t, "fault", "heal", string(m.Name))
	}
	healed := time.Now()
	c.leader(t)
	figure("two of three lost, all well after both are back", time.Since(healed).Seconds(), "s", "no goal")
	c.work.gantry(t, "config", "beacon", "message=found")
	c.work.converge(t, time.Minute)
	if changed := differ(before, machineOf(t, c.work.status(t), "beacon/0").services()); len(changed) > 0 {
		t.Errorf("services restarted: %v", changed)
	}
}

func deadReplaced(t *testing.T, c *council) {
	c.lead(t, true)
	lost := unit(t, c.own.status(t), "controller/1")
	var old operator.Controller
	for _, m := range c.list(t) {
		if m.Unit == lost.Name {
			old = m
		}
	}
	c.own.gantry(t, "fault", "cut", string(lost.Machine))
	eventually(t, time.Minute, "the machine is not heard", func() error {
		if u := unit(t, c.own.status(t), "controller/1"); u.Reachable {
			return errors.New("it still is")
		}
		return nil
	})
	c.own.gantry(t, "remove-machine", "--force", "-y", string(lost.Machine))
	c.enable(t, 3)
	for _, m := range c.list(t) {
		if m.ID == old.ID {
			t.Errorf("%s was lost, and is a member", m.ID)
		}
	}
	c.own.converge(t, time.Minute)
}

func oneAgain(t *testing.T, c *council) {
	c.enable(t, 1)
	c.work.gantry(t, "config", "beacon", "message=alone")
	c.work.converge(t, time.Minute)
}
