package sdk

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/gantry-orchestrator/gantry/charms/sdk/plugin"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// Main is the whole main function of a charm that is built on its own.
func Main(c Charm) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := Exec(ctx, c, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

// Exec does what a charm's process is started for: without arguments it serves
// Reconcile to the agent that started it; "call NAME" and "action NAME" read
// an effect.Invocation from standard input and write a plugin.Result to
// standard output; "run ARGS..." is the charm's own Program.
func Exec(ctx context.Context, c Charm, args []string) error {
	switch {
	case len(args) == 0 && plugin.Asked():
		plugin.Serve(c)
		return nil
	case len(args) == 2 && (args[0] == "call" || args[0] == "action"):
		return invoke(ctx, c, args[0], args[1])
	case len(args) > 0 && args[0] == "run":
		p, ok := c.(Program)
		if !ok {
			return fmt.Errorf("run: this charm has no program of its own: %w", model.ErrInvalid)
		}
		return p.Run(ctx, args[1:])
	default:
		return fmt.Errorf("this is a Gantry charm: an agent starts it; deploy it with `gantry deploy`: %w", model.ErrInvalid)
	}
}

// invoke runs one call or action. What the charm prints goes to standard
// error, so that standard output holds the result alone.
func invoke(ctx context.Context, c Charm, kind, name string) error {
	out := os.Stdout
	os.Stdout = os.Stderr
	defer func() { os.Stdout = out }()
	var inv effect.Invocation
	if err := json.NewDecoder(os.Stdin).Decode(&inv); err != nil {
		return fmt.Errorf("%s %s: read the invocation: %w", kind, name, err)
	}
	inv.Name = name
	return writeResult(out, Invoke(ctx, c, kind, inv))
}

func writeResult(w io.Writer, r plugin.Result) error {
	if err := json.NewEncoder(w).Encode(r); err != nil {
		return fmt.Errorf("write the result: %w", err)
	}
	return nil
}

// Invoke runs a "call" or an "action" of a charm in this process. Its panic is
// a failure like another.
func Invoke(ctx context.Context, c Charm, kind string, inv effect.Invocation) (r plugin.Result) {
	defer func() {
		if v := recover(); v != nil {
			r = plugin.Result{Error: plugin.Panicked(v, true)}
		}
	}()
	var err error
	caller, calls := c.(Caller)
	runner, acts := c.(ActionRunner)
	switch {
	case kind == "call" && calls:
		r.Value, err = caller.Call(ctx, inv)
	case kind == "action" && acts:
		r.Output, err = runner.RunAction(ctx, inv)
	default:
		err = fmt.Errorf("this charm has no %ss: %w", kind, model.ErrNotFound)
	}
	if err != nil {
		r.Error = err.Error()
	}
	return r
}
