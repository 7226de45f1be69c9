package roles

import (
	"os"
	"testing"

	"github.com/gantry-orchestrator/gantry/engine/provider/sandbox"
)

// TestMain lets the sandbox provider start this executable as a machine's
// first process, which it tries when it looks what the host offers.
func TestMain(m *testing.M) {
	sandbox.Init()
	os.Exit(m.Run())
}
