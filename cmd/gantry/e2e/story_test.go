package e2e

import "testing"

// TestOneInstallFromUpToDown tells the tests of one install in the order that
// an operator could live through them. All but the first and the last two use
// the archive of telemetry, which is deployed once, by the first of them that
// runs.
func TestOneInstallFromUpToDown(t *testing.T) {
	in := open(t)
	var a *archive
	broken := false
	with := func(test func(*testing.T, *archive)) func(*testing.T) {
		return func(t *testing.T) {
			if broken {
				t.Fatal("the archive never came up")
			}
			if a == nil {
				broken = true
				a = workspace{in: in, name: "default"}.deploy(t)
				broken = false
			}
			test(t, a)
		}
	}
	for _, story := range []struct {
		name string
		tell func(*testing.T)
	}{
		{"a trivial charm passes through every seam in seconds", func(t *testing.T) { trivialCharm(t, in) }},
		{"a bundle converges and every packet is archived once", with(func(t *testing.T, a *archive) { a.healthy(t) })},
		{"a second apply changes nothing and touches no host", with(secondApply)},
		{"a killed postmaster loses no packet", with(postmasterKilled)},
		{"a switchover loses no packet", with(switchover)},
		{"the primary's machine dies and no packet is lost", with(machineKilled)},
		{"the primary's machine is cut off and healed and no packet is lost", with(machineCut)},
		{"a killed agent restarts no service", with(agentKilled)},
		{"a killed controller restarts no service", with(controllerKilled)},
		{"what PostgreSQL can reload does not restart it", with(reloadedConfig)},
		{"what needs a restart rolls, replicas first and never two at once", with(rollingConfig)},
		{"three members become five and three again without losing quorum", with(scale)},
		{"every member's metrics can be scraped", with(metrics)},
		{"a scheduled backup appears", with(scheduledBackup)},
		{"changed passwords lose no packet", with(setPassword)},
		{"a restore to a chosen second gives the exact count", with(restore)},
		{"a leader change in the middle of a bootstrap founds no second cluster", func(t *testing.T) { interruptedBootstrap(t, in) }},
		{"a dead agent is named as the holder, and its machine can be given up", func(t *testing.T) { deadAgent(t, in) }},
		{"removal leaves nothing", func(t *testing.T) { removal(t, in) }},
	} {
		t.Run(story.name, story.tell)
	}
}
