// Package program is the telemetry program: serve makes packets and archives
// them; produce makes them and sends them to a topic, out of which archive takes
// them into the archive; audit compares the archive with the ledger.
package program

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/gantry-orchestrator/gantry/model"
)

// ErrFaults says that an audit was made and found faults, and printed them.
var ErrFaults = errors.New("the archive differs from the ledger")

const synopsis = `usage:
  serve --config FILE
  produce --config FILE
  archive --config FILE
  audit --ledger FILE [--ledger FILE...] --psql CONNECTION [--client PROGRAM] [--source NAME]

serve sends packets into the archive, produce to the topic, from which archive
takes them. Each reads its configuration again at SIGHUP; SIGTERM ends serve and
produce when what is queued is acknowledged, or their grace is over.`

// usage returns the error of a command line that is wrong.
func usage(err error) error { return fmt.Errorf("%w: %w\n%s", err, model.ErrInvalid, synopsis) }

// Run runs the program with the arguments that follow its name. It returns
// when it has done its work, or has finished what it had in hand after the end
// of ctx.
func Run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	reload := make(chan os.Signal, 1)
	signal.Notify(reload, syscall.SIGHUP)
	defer signal.Stop(reload)
	return run(ctx, reload, args, stdout, stderr)
}

func run(ctx context.Context, reload <-chan os.Signal, args []string, stdout, stderr io.Writer) error {
	command := ""
	if len(args) > 0 {
		command, args = args[0], args[1:]
	}
	switch command {
	case "serve", "produce":
		return serve(ctx, reload, command, args, stderr)
	case "archive":
		return fill(ctx, reload, args, stderr)
	case "audit":
		return auditArchive(ctx, args, stdout, stderr)
	default:
		return usage(fmt.Errorf("no command %q", command))
	}
}
