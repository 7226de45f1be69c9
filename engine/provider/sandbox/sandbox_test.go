package sandbox

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/gantry-orchestrator/gantry/engine/provider"
	"github.com/gantry-orchestrator/gantry/engine/provider/providertest"
)

func TestMain(m *testing.M) {
	Init()
	providertest.Init()
	createAndDie() // on the host that a test already has
	providertest.Alone(os.Getenv(slow) == "")
	os.Exit(m.Run())
}

// slow asks for the tests that build images from the network, which take
// minutes: GANTRY_SLOW=1 go test -run Slow -timeout 20m ./engine/provider/sandbox
const slow = "GANTRY_SLOW"

func needRoot(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("sandbox machines need root")
	}
}

func testConfig(dir string) provider.Config {
	return provider.Config{
		StateDir: filepath.Join(dir, "state"), RunDir: filepath.Join(dir, "run"), CacheDir: filepath.Join(dir, "cache"),
		Base: provider.BaseHost, Init: providertest.InitCommand,
	}
}

func openAt(t testing.TB, dir string) *Provider {
	t.Helper()
	needRoot(t)
	p, err := Open(t.Context(), testConfig(dir))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

var errCrash = errors.New("crash")

func TestSandboxPassesTheSuite(t *testing.T) {
	needRoot(t)
	dir := t.TempDir()
	inside := func(i provider.Instance, path string) string {
		return filepath.Join("/proc", strconv.Itoa(i.PID), "root", path)
	}
	providertest.Run(t, providertest.Harness{
		Open: func(t *testing.T, install string) providertest.Machines {
			return openAt(t, filepath.Join(dir, install))
		},
		Read: func(t *testing.T, _ providertest.Machines, i provider.Instance, path string) string {
			b, err := os.ReadFile(inside(i, path))
			if err != nil && !os.IsNotExist(err) {
				t.Fatal(err)
			}
			return string(b)
		},
		Write: func(t *testing.T, _ providertest.Machines, i provider.Instance, path, content string) {
			if err := os.WriteFile(inside(i, path), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		},
		Host:  providertest.Leftovers,
		Steps: createSteps,
		Crash: func(p providertest.Machines, step string) {
			p.(*Provider).step = func(name string) error {
				if name == step {
					return errCrash
				}
				return nil
			}
		},
	})
}
