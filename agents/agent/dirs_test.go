package agent_test

import (
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"

	"github.com/gantry-orchestrator/gantry/agents/agent"
	"github.com/gantry-orchestrator/gantry/engine/provider/depot"
)

func TestALayersSoftwareLiesWhereTheAgentOfItsMachineLooks(t *testing.T) {
	if got := agent.SystemDirs().Software(); got != depot.Place {
		t.Errorf("the agent looks in %s, layers have it in %s", got, depot.Place)
	}
}

func TestServicesOfOtherUsersReachTheirDirectories(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMachine(t, webCharm)
		// As a supervisor that came first may have left them.
		for _, dir := range []string{"var/lib/gantry", "run/gantry"} {
			if err := os.MkdirAll(filepath.Join(m.root, dir), 0o700); err != nil {
				t.Fatal(err)
			}
		}
		m.start()
		m.controller.set(web, configure("x", 80))
		m.settle(web)
		modes := map[string]os.FileMode{
			"var/lib/gantry": 0o011, "run/gantry": 0o011, "var/lib/gantry/data": 0o011, "var/lib/gantry/config": 0o011,
			"var/lib/gantry/data/web-0": 0o011, "run/gantry/unit/web-0": 0o011,
		}
		for dir, need := range modes {
			if info, err := os.Stat(filepath.Join(m.root, dir)); err != nil || info.Mode().Perm()&need != need {
				t.Errorf("%s cannot be passed through: %v (%v)", dir, info, err)
			}
		}
		if info, err := os.Stat(filepath.Join(m.root, "var/lib/gantry/journal")); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("journals may be read by others: %v (%v)", info, err)
		}
	})
}

func TestUsersKeepThingsByXDG(t *testing.T) {
	env := map[string]string{"HOME": "/home/u", "XDG_RUNTIME_DIR": "/run/user/7", "XDG_STATE_HOME": "relative"}
	d := agent.UserDirs(func(name string) string { return env[name] })
	if want := (agent.Dirs{Root: "/", State: "/home/u/.local/state/gantry", Run: "/run/user/7/gantry", Log: "/home/u/.local/state/gantry/log"}); d != want {
		t.Errorf("dirs = %+v, want %+v", d, want)
	}
}
