package providertest

import (
	"os"
	"os/signal"
	"slices"
	"syscall"

	"github.com/gantry-orchestrator/gantry/engine/provider"
)

const machineMark = "providertest-machine"

// InitCommand is a provider.Config.Init for tests: this test binary, which
// does nothing as the first process of a machine until SIGTERM.
func InitCommand(i provider.Instance) []string { return []string{i.Binary, machineMark} }

// Init does not return where this process is the first of a test's machine.
func Init() {
	if !slices.Contains(os.Args, machineMark) {
		return
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	<-stop
	os.Exit(0)
}
