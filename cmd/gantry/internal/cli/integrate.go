package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

func newIntegrate(sh *shell) *cobra.Command {
	o := &changeOptions{}
	cmd := &cobra.Command{
		Use:     "integrate APPLICATION[:ENDPOINT] APPLICATION[:ENDPOINT]",
		Aliases: []string{"relate"},
		Short:   "Relate two applications",
		Example: "  gantry integrate telemetry pgbouncer:database",
		Args:    exactly("an application or endpoint", "another application or endpoint"),
		RunE: sh.connected(func(ctx context.Context, s *session, args []string) error {
			ends, err := parseAll(args, model.ParseEndpointRef)
			if err != nil {
				return err
			}
			request := operator.Integrate{Change: o.change(), Model: s.model, A: ends[0], B: ends[1]}
			done, err := commit(ctx, s, fmt.Sprintf("relating %s and %s", args[0], args[1]), func(ctx context.Context) (operator.Integrated, error) {
				return s.client.Integrate(ctx, request)
			})
			if err != nil {
				return err
			}
			return s.conclude(ctx, *o, done.Committed, done, "related %s and %s", done.A, done.B)
		}),
	}
	o.register(cmd)
	return cmd
}
