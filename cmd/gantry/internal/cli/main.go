package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/gantry-orchestrator/gantry/model"
)

// Exit codes of every command.
const (
	ExitDone    = 0
	ExitFailed  = 1
	ExitChanges = 2 // a plan that changes something
	ExitRefused = 3 // by a policy, or for want of access
	ExitTimeout = 4
)

// A command that does not end by itself ends by one of these.
var (
	errTimedOut    = ending{"timed out", context.DeadlineExceeded}
	errInterrupted = ending{"interrupted", context.Canceled}
)

// ending is an error of a context, in an operator's words.
type ending struct {
	text  string
	class error
}

// Error says how the command ended.
func (e ending) Error() string { return e.text }

// Unwrap is the context's error.
func (e ending) Unwrap() error { return e.class }

// endedBy is how a context ended, which it has, or whose deadline the
// controller was the first to notice.
func endedBy(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return errInterrupted
	}
	return errTimedOut
}

// errChanges ends a plan that changes something; it is not printed.
var errChanges = errors.New("the plan has changes")

// statusError carries the exit code of a process that stood in for the
// command; it has said already what there was to say.
type statusError int

// Error names the code.
func (e statusError) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

// Main runs one command line and returns its exit code. Interrupt and
// termination end the command's context; a second one ends the process.
func Main(c Config, args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	c = c.withDefaults()
	root := New(c)
	root.SetArgs(args)
	err := execute(ctx, c, root, args)
	report(c.Stderr, err)
	return exitCode(err)
}

// exitCode is the one place that turns an error into an exit code.
func exitCode(err error) int {
	var status statusError
	switch {
	case err == nil:
		return ExitDone
	case errors.Is(err, errChanges):
		return ExitChanges
	case errors.As(err, &status):
		return int(status)
	case errors.Is(err, model.ErrFrozen), errors.Is(err, model.ErrDenied):
		return ExitRefused
	case errors.Is(err, context.DeadlineExceeded):
		return ExitTimeout
	default:
		return ExitFailed
	}
}

// report prints an error once, each of its lines as gantry's, and what to do
// next where its class says so.
func report(w io.Writer, err error) {
	var status statusError
	if err == nil || errors.Is(err, errChanges) || errors.As(err, &status) {
		return
	}
	for _, line := range strings.Split(strings.TrimSpace(err.Error()), "\n") {
		fmt.Fprintln(w, "gantry:", line)
	}
	if next := nextStep(err); next != "" {
		fmt.Fprintln(w, "  next:", next)
	}
}

func nextStep(err error) string {
	switch {
	case errors.Is(err, errUnknownOutcome):
		return "look at gantry status, then repeat the command if its change is not there"
	case errors.Is(err, model.ErrUnavailable):
		return "see that the controller runs (gantry up), then repeat the command"
	case errors.Is(err, model.ErrFrozen):
		return "wait until the freeze ends, or ask who set it"
	case errors.Is(err, model.ErrDenied):
		return "ask an administrator of the model for access"
	case errors.Is(err, context.DeadlineExceeded):
		return "what was committed goes on; see gantry status, or wait longer with --timeout"
	default:
		return ""
	}
}
