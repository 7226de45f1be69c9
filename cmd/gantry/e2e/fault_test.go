package e2e

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/gantry-orchestrator/gantry/model/operator"
)

// hang is how many times its target a recovery may take before it counts as
// hung. The target itself is recorded, not asserted.
const hang = 5

// strike breaks something about the proven primary while packets are written,
// waits until they are again, records the gap, and then that all heals without
// loss. It returns who is primary afterwards.
func (a *archive) strike(t *testing.T, what string, target time.Duration, do func(primary operator.Unit)) operator.Unit {
	t.Helper()
	a.streaming(t, len(a.members(t)), 3*time.Minute)
	a.writes(t, time.Now(), time.Minute)
	before := a.primary(t)
	from := time.Now()
	do(before)
	a.writes(t, from, hang*target)
	after := a.primary(t)
	gap := a.book.gap(from)
	figure("write gap, "+what, gap.Seconds(), "s", fmt.Sprintf("goal %v", target))
	if gap > hang*target {
		t.Errorf("no packet was archived for %v", gap)
	}
	t.Logf("primary was %s and is %s", before.Name, after.Name)
	return after
}

func postmasterKilled(t *testing.T, a *archive) {
	a.strike(t, "postmaster killed", 6*time.Second, func(primary operator.Unit) {
		machineOf(t, a.status(t), primary.Name.String()).postmaster(t).signal(t, syscall.SIGKILL)
	})
	a.healthy(t)
}

func switchover(t *testing.T, a *archive) {
	var target operator.Unit
	after := a.strike(t, "switchover", 4*time.Second, func(primary operator.Unit) {
		address := a.on(t, primary.Address, "postgres", "SELECT host(client_addr) FROM pg_stat_replication WHERE sync_state = 'sync' LIMIT 1")
		for _, u := range a.members(t) {
			if u.Address == address {
				target = u
			}
		}
		a.act(t, target.Name.String(), "promote-to-primary")
	})
	if after.Name != target.Name {
		t.Errorf("%s was promoted, and %s is primary", target.Name, after.Name)
	}
	a.healthy(t)
}

func machineKilled(t *testing.T, a *archive) {
	var old operator.Unit
	after := a.strike(t, "machine killed", 20*time.Second, func(primary operator.Unit) {
		old = primary
		a.gantry(t, "fault", "kill", string(primary.Machine))
	})
	if after.Name == old.Name {
		t.Errorf("%s died and is still the primary", old.Name)
	}
	began := time.Now()
	a.streaming(t, len(a.members(t)), 150*time.Second)
	figure("killed primary rejoined, after writes resumed", time.Since(began).Seconds(), "s", "goal 30 s")
	a.healthy(t)
}

func machineCut(t *testing.T, a *archive) {
	var old operator.Unit
	after := a.strike(t, "machine cut off", 20*time.Second, func(primary operator.Unit) {
		old = primary
		a.gantry(t, "fault", "cut", string(primary.Machine))
	})
	if after.Name == old.Name {
		t.Errorf("%s is cut off and still the primary", old.Name)
	}
	a.gantry(t, "fault", "heal", string(old.Machine))
	a.healthy(t)
}

func agentKilled(t *testing.T, a *archive) {
	before := a.services(t)
	from := time.Now()
	for name, m := range a.byName(t) {
		old := m.one(t, "agent", isAgent)
		old.signal(t, syscall.SIGKILL)
		eventually(t, time.Minute, "an agent runs again on machine "+name, func() error {
			for _, p := range m.processes() {
				if isAgent(p) && p.identity() != old.identity() {
					return nil
				}
			}
			return fmt.Errorf("none but %s", old.identity())
		})
	}
	a.converge(t, 2*time.Minute)
	if changed := differ(before, a.services(t)); len(changed) > 0 {
		t.Errorf("killed agents restarted services: %v", changed)
	}
	a.writes(t, from, time.Minute)
	figure("write gap, every agent killed", a.book.gap(from).Seconds(), "s", "no effect on services")
	a.audit(t)
}

// byName are the archive's machines by name.
func (a *archive) byName(t testing.TB) map[string]machine {
	t.Helper()
	found := map[string]machine{}
	for _, m := range a.machines(t) {
		found[m.name] = m
	}
	return found
}

func controllerKilled(t *testing.T, a *archive) {
	before := a.services(t)
	index := a.status(t).Model.Index
	from := time.Now()
	a.in.role(t, "controller").signal(t, syscall.SIGKILL)
	eventually(t, time.Minute, "a controller answers with all units", func() error {
		r := a.in.run(5*time.Second, a.of("status", "-o", "json")...)
		if r.code != 0 {
			return fmt.Errorf("exit %d: %s", r.code, r.err)
		}
		s := decode[operator.Status](t, r.out)
		if s.Model.Index < index {
			return fmt.Errorf("it forgot what was committed: index %d after %d", s.Model.Index, index)
		}
		for app, units := range map[string]int{"postgresql": 3, "pgbouncer": 1, "telemetry": 1} {
			if err := settled(s, app, units); err != nil {
				return err
			}
		}
		return nil
	})
	figure("controller killed to every unit reported again", time.Since(from).Seconds(), "s", "no goal")
	a.converge(t, 2*time.Minute)
	if changed := differ(before, a.services(t)); len(changed) > 0 {
		t.Errorf("a killed controller restarted services: %v", changed)
	}
	a.writes(t, from, time.Minute)
	figure("write gap, controller killed", a.book.gap(from).Seconds(), "s", "no effect on services")
	a.audit(t)
}
