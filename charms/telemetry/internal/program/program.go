// Package program is the telemetry program: serve makes packets and archives
// them, audit compares the archive with the ledger.
package program

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// The exit codes of the program.
const (
	ExitDone   = 0
	ExitFailed = 1 // serve failed, or audit found faults
	ExitUsage  = 2 // the command line is wrong, or no audit could be made
)

const synopsis = `usage:
  telemetry serve --config FILE
  telemetry audit --ledger FILE [--ledger FILE...] --psql CONNECTION [--client PROGRAM] [--source NAME]

serve reads its configuration again at SIGHUP; SIGTERM or SIGINT ends it when
what is queued is archived, or its grace is over.
`

// usage is an error of the command line.
type usage struct{ error }

func (u usage) Unwrap() error { return u.error }

// Main runs the program with the arguments that follow its name and returns
// its exit code.
func Main(args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	reload := make(chan os.Signal, 1)
	signal.Notify(reload, syscall.SIGHUP)
	defer signal.Stop(reload)
	return run(ctx, reload, args, stdout, stderr)
}

func run(ctx context.Context, reload <-chan os.Signal, args []string, stdout, stderr io.Writer) int {
	command := ""
	if len(args) > 0 {
		command, args = args[0], args[1:]
	}
	failed := ExitFailed
	var err error
	switch command {
	case "serve":
		err = serve(ctx, reload, args, stderr)
	case "audit":
		err = auditArchive(ctx, args, stdout, stderr)
		failed = ExitUsage
	default:
		err = usage{fmt.Errorf("no command %q", command)}
	}
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return ExitDone
	case errors.Is(err, errFaults):
		return ExitFailed
	}
	fmt.Fprintln(stderr, "telemetry:", err)
	if wrong := (usage{}); errors.As(err, &wrong) {
		fmt.Fprint(stderr, synopsis)
		return ExitUsage
	}
	return failed
}
