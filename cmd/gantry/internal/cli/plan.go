package cli

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"github.com/gantry-orchestrator/gantry/model/operator"
)

type planOptions struct{ bundleOptions }

func newPlan(sh *shell) *cobra.Command {
	o := &planOptions{}
	cmd := &cobra.Command{
		Use:   "plan BUNDLE",
		Short: "Show what apply would do, down to files and restarts",
		Long: `Show what gantry apply would do, and touch nothing. Each line is certain,
expected, or known only after apply. Exit code 2 says that there are changes, 0
that there are none.`,
		Example: `  gantry plan bundle.yaml --overlay site.yaml
  gantry plan config postgresql max_connections=200`,
		Args: exactly("a bundle's file"),
		RunE: sh.connected(o.run),
	}
	o.register(cmd)
	cmd.AddCommand(newPlanConfig(sh))
	return cmd
}

func (o *planOptions) run(ctx context.Context, s *session, args []string) error {
	b, request, err := s.bundleRequest(ctx, args[0], o.bundleOptions)
	if err != nil {
		return err
	}
	planned, err := s.plan(ctx, args[0], request)
	if err != nil {
		return s.locate(err, b)
	}
	return s.showPlan(planned)
}

// plan asks what a request would do.
func (s *session) plan(ctx context.Context, what string, request operator.Apply) (operator.Planned, error) {
	under := s.begin("planning " + what)
	defer under.end()
	return s.client.Plan(ctx, request)
}

// showPlan prints a plan; that it changes something is told by the exit code.
func (s *session) showPlan(planned operator.Planned) error {
	if err := s.answer(planned, func(w io.Writer) { writePlan(w, s.palette(), planned) }); err != nil {
		return err
	}
	if changes(planned) {
		return errChanges
	}
	return nil
}

// changes reports whether carrying a plan out changes anything.
func changes(p operator.Planned) bool {
	return len(p.Differences) > 0 || len(p.Placements) > 0 || len(p.Units) > 0
}
