package cli

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

// trait is a command that changes one thing about an application.
func trait(sh *shell, cmd cobra.Command, done string, send func(context.Context, *session, operator.Change, model.ApplicationName) (operator.Committed, error)) *cobra.Command {
	o := &changeOptions{}
	cmd.Args = exactly("an application")
	cmd.RunE = sh.connected(func(ctx context.Context, s *session, args []string) error {
		app, err := model.ParseApplicationName(args[0])
		if err != nil {
			return err
		}
		change := o.change()
		at, err := commit(ctx, s, "changing "+args[0], func(ctx context.Context) (operator.Committed, error) {
			return send(ctx, s, change, app)
		})
		if err != nil {
			return err
		}
		return s.conclude(ctx, *o, at, at, "%s %s", done, app)
	})
	o.register(&cmd)
	return &cmd
}

func newExpose(sh *shell) *cobra.Command {
	return trait(sh, cobra.Command{Use: "expose APPLICATION", Short: "Open an application's ports to other networks"}, "exposed",
		func(ctx context.Context, s *session, c operator.Change, app model.ApplicationName) (operator.Committed, error) {
			return s.client.Expose(ctx, operator.Expose{Change: c, Model: s.model, Application: app, Expose: true})
		})
}

func newUnexpose(sh *shell) *cobra.Command {
	return trait(sh, cobra.Command{Use: "unexpose APPLICATION", Short: "Close an application's ports to other networks"}, "unexposed",
		func(ctx context.Context, s *session, c operator.Change, app model.ApplicationName) (operator.Committed, error) {
			return s.client.Expose(ctx, operator.Expose{Change: c, Model: s.model, Application: app})
		})
}

func newTrust(sh *shell) *cobra.Command {
	remove := false
	cmd := trait(sh, cobra.Command{Use: "trust APPLICATION", Short: "Give an application access beyond its machines, or take it"}, "changed the trust of",
		func(ctx context.Context, s *session, c operator.Change, app model.ApplicationName) (operator.Committed, error) {
			return s.client.Trust(ctx, operator.Trust{Change: c, Model: s.model, Application: app, Trust: !remove})
		})
	cmd.Flags().BoolVar(&remove, "remove", false, "take the access")
	return cmd
}

func newSetConstraints(sh *shell) *cobra.Command {
	o := &changeOptions{}
	cmd := &cobra.Command{
		Use:     "set-constraints APPLICATION [CONSTRAINT=VALUE...]",
		Short:   "Set what an application's new machines must offer",
		Example: "  gantry set-constraints postgresql cores=4 mem=8G root-disk=40G",
		Args:    atLeast("an application"),
		RunE: sh.connected(func(ctx context.Context, s *session, args []string) error {
			app, err := model.ParseApplicationName(args[0])
			if err != nil {
				return err
			}
			wanted, err := model.ParseConstraints(strings.Join(args[1:], " "))
			if err != nil {
				return err
			}
			request := operator.SetConstraints{Change: o.change(), Model: s.model, Application: app, Constraints: wanted}
			done, err := commit(ctx, s, "constraining "+args[0], func(ctx context.Context) (operator.Committed, error) {
				return s.client.SetConstraints(ctx, request)
			})
			if err != nil {
				return err
			}
			return s.conclude(ctx, *o, done, done, "constraints of %s are %q", app, wanted)
		}),
	}
	o.register(cmd)
	return cmd
}

func newConstraints(sh *shell) *cobra.Command {
	return &cobra.Command{
		Use:   "constraints APPLICATION",
		Short: "Show what an application's new machines must offer",
		Args:  exactly("an application"),
		RunE: sh.connected(func(ctx context.Context, s *session, args []string) error {
			app, err := model.ParseApplicationName(args[0])
			if err != nil {
				return err
			}
			detail, err := s.client.ShowApplication(ctx, s.model, app)
			if err != nil {
				return err
			}
			return s.answer(map[string]string{"constraints": detail.Constraints}, func(w io.Writer) { fmt.Fprintln(w, detail.Constraints) })
		}),
	}
}
