package e2e

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/gantry-orchestrator/gantry/engine/provider/providertest"
)

// root is the top of the repository, as tests see it.
const root = "../../.."

// binary is the gantry under test: GANTRY_E2E_BINARY, or bin/gantry, which is
// built anew with what stands beside it: an older one would be tested unseen.
var binary string

func TestMain(m *testing.M) {
	flag.Parse()
	if why := unfit(); why != "" {
		fmt.Println("e2e: real software is not tested:", why)
		os.Exit(0)
	}
	// A host of their own but for the network, which packages come over:
	// whatever the tests leave running ends with them.
	providertest.Alone(false)
	if err := findBinary(); err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func unfit() string {
	switch {
	case testing.Short():
		return "-short"
	case os.Geteuid() != 0:
		return "it takes root"
	}
	for _, tool := range []string{"psql", "nsenter"} {
		if _, err := exec.LookPath(tool); err != nil {
			return "no " + tool + " on this host: run make setup"
		}
	}
	return ""
}

func findBinary() (err error) {
	if binary = os.Getenv("GANTRY_E2E_BINARY"); binary != "" {
		return nil
	}
	if binary, err = filepath.Abs(filepath.Join(root, "bin", "gantry")); err != nil {
		return err
	}
	for _, build := range [][]string{
		{"go", "build", "-trimpath", "-o", binary, "./cmd/gantry"},
		{".ci/dqlite", "build", "-trimpath", "-o", binary + "-dqlite", "./cmd/gantry"},
	} {
		cmd := exec.Command(build[0], build[1:]...)
		cmd.Dir, cmd.Env = root, append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("build gantry: %w: %s", err, out)
		}
	}
	return nil
}

// figure prints one measurement.
func figure(name string, value float64, unit, goal string) {
	fmt.Printf("figure: %s %.2f %s (%s)\n", name, value, unit, goal)
}
