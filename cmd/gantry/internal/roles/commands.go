package roles

import (
	"os"

	"github.com/spf13/cobra"
)

// Version of this binary. A build may name another (-ldflags -X): charms that
// are built in are of the same.
var Version = "0.1.0"

// stateDirFlag names the install that a command speaks of.
const stateDirFlag = "state-dir"

// Commands are the roles and the commands up and down, for the root command.
// The second result are the places of the install that the command line names,
// once its flags are parsed.
func Commands() (commands []*cobra.Command, places func() Places) {
	var dir string
	places = func() Places {
		p := DefaultPlaces(os.Getenv)
		if dir == "" {
			dir = os.Getenv("GANTRY_STATE_DIR")
		}
		if dir == "" {
			return p
		}
		at, err := p.At(dir)
		if err != nil {
			return p // the working directory is gone: every use of p fails and says so
		}
		return at
	}
	commands = []*cobra.Command{
		up(places), down(places), restore(places), superviseRole(places), controllerRole(places), backend(), hostAgent(places), machineAgent(), charmExec(), fault(places),
	}
	for _, c := range commands {
		c.Flags().StringVar(&dir, stateDirFlag, "", "directory of the install (default: the system's, or the user's own; GANTRY_STATE_DIR)")
	}
	return commands, places
}
