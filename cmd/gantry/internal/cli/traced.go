package cli

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/gantry-orchestrator/gantry/engine/observe/trace"
)

// handOver is how long a command waits at its end for its trace to be taken.
const handOver = 2 * time.Second

// execute runs a command line as the beginning of a trace, where the environment
// names a place for one. The roles of this binary begin none.
func execute(ctx context.Context, c Config, root *cobra.Command, args []string) error {
	cmd, _, err := root.Find(args)
	if err != nil || cmd.Hidden {
		return root.ExecuteContext(ctx)
	}
	tracer, err := trace.Open(ctx, c.Getenv, "gantry", c.Version)
	if err != nil {
		return err
	}
	traced, end := tracer.Begin(ctx, cmd.CommandPath())
	err = root.ExecuteContext(traced)
	end(err)
	waiting, cancel := context.WithTimeout(context.WithoutCancel(ctx), handOver)
	defer cancel()
	tracer.Close(waiting)
	return err
}
