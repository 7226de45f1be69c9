// Command gantry is the controller, the agents, the charms and the operator's
// command line in one binary.
package main

import (
	"os"

	"github.com/gantry-orchestrator/gantry/agents/supervise"
	"github.com/gantry-orchestrator/gantry/cmd/gantry/internal/cli"
	"github.com/gantry-orchestrator/gantry/cmd/gantry/internal/roles"
	"github.com/gantry-orchestrator/gantry/engine/provider/sandbox"
)

func main() {
	// Both end the process here where it was started to become a machine or a
	// service.
	sandbox.Init()
	supervise.RunStage()

	commands, places := roles.Commands()
	os.Exit(cli.Main(cli.Config{
		Version:     roles.Version,
		Extra:       commands,
		ContextPath: func() string { return places().AdminContext() },
	}, os.Args[1:]))
}
