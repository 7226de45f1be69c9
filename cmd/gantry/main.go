// Command gantry is the controller, the agents, the charms and the operator's
// command line in one binary.
package main

import (
	"io/fs"
	"os"

	"github.com/gantry-orchestrator/gantry/agents/supervise"
	"github.com/gantry-orchestrator/gantry/cmd/gantry/internal/cli"
	"github.com/gantry-orchestrator/gantry/cmd/gantry/internal/roles"
	"github.com/gantry-orchestrator/gantry/engine/provider/sandbox"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/operator"
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
		Charms:      charmFiles,
		Local:       func() []operator.Finding { return roles.Local(places()) },
	}, os.Args[1:]))
}

// charmFiles are the files of a charm that is built in, nil for another.
func charmFiles(name model.CharmName) fs.FS {
	for _, b := range roles.Builtins() {
		if b.Name == name {
			return b.Files
		}
	}
	return nil
}
