package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/gantry-orchestrator/gantry/engine/observe/metrics"
)

func newMetrics(sh *shell) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "metrics",
		Short: "Say what Prometheus can have of a controller",
		Long: `Say what Prometheus can have of a controller: metrics at /metrics of the
controllers' own port, by mutual TLS with an administrator's certificate. See
docs/observability.md.`,
		Args: noCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(
		&cobra.Command{
			Use:   "rules",
			Short: "Print alerts on a controller for Prometheus",
			Args:  exactly(),
			RunE: func(*cobra.Command, []string) error {
				_, err := fmt.Fprint(sh.Stdout, metrics.Rules)
				return err
			},
		},
		&cobra.Command{
			Use:   "list",
			Short: "List the metrics",
			Args:  exactly(),
			RunE: func(*cobra.Command, []string) error {
				_, err := fmt.Fprint(sh.Stdout, metrics.Table())
				return err
			},
		},
	)
	return cmd
}
