package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/bundle"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

type deployOptions struct {
	changeOptions
	units         int
	config, to    []string
	constraints   string
	trust, expose bool
}

func newDeploy(sh *shell) *cobra.Command {
	o := &deployOptions{}
	cmd := &cobra.Command{
		Use:   "deploy CHARM|BUNDLE [APPLICATION]",
		Short: "Deploy an application from a charm, or a bundle",
		Long: `Deploy a charm by its name, or one of your own by its directory, which is
built and uploaded. A bundle, a file whose name ends in .yaml, is applied.`,
		Example: `  gantry deploy postgresql -n 3 --config profile=testing
  gantry deploy ./my-charm
  gantry deploy ./bundle.yaml`,
		Args: between(1, 2, "a charm or a bundle", "an application's name"),
		PreRunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().Changed("num-units") && o.units == 0 {
				return fmt.Errorf("--num-units 0: an application has at least one unit; leave it out for one, or for a subordinate: %w", model.ErrInvalid)
			}
			return nil
		},
		RunE: sh.connected(o.run),
	}
	cmd.Flags().IntVarP(&o.units, "num-units", "n", 0, "number of units (default 1)")
	cmd.Flags().StringArrayVar(&o.config, "config", nil, "an option as NAME=VALUE, or a YAML file of options; may be repeated")
	cmd.Flags().StringVar(&o.constraints, "constraints", "", `what new machines must offer, such as "cores=2 mem=4G"`)
	cmd.Flags().StringSliceVar(&o.to, "to", nil, "where the units go: a machine's number, a unit, or new")
	cmd.Flags().BoolVar(&o.trust, "trust", false, "give the application access beyond its machines")
	cmd.Flags().BoolVar(&o.expose, "expose", false, "open its ports to other networks")
	o.register(cmd)
	return cmd
}

func (o *deployOptions) run(ctx context.Context, s *session, args []string) error {
	if strings.HasSuffix(args[0], ".yaml") || strings.HasSuffix(args[0], ".yml") {
		if len(args) > 1 {
			return fmt.Errorf("deploy %s: a bundle names its applications itself; leave %q out: %w", args[0], args[1], model.ErrInvalid)
		}
		apply := applyOptions{changeOptions: o.changeOptions}
		return apply.run(ctx, s, args)
	}
	request, err := o.request(args)
	if err != nil {
		return err
	}
	ref, err := bundle.ParseCharmRef(args[0])
	if err != nil {
		return err
	}
	request.Charm, request.Model = string(ref.Name), s.model
	if ref.IsLocal() {
		uploaded, err := s.upload(ctx, ref.Path)
		if err != nil {
			return err
		}
		request.Charm = uploaded.Revision
		if request.Application == "" {
			request.Application = model.ApplicationName(uploaded.Name)
		}
	}
	if request.Application == "" {
		request.Application = model.ApplicationName(ref.Name)
	}
	done, err := commit(ctx, s, "deploying "+string(request.Application), func(ctx context.Context) (operator.Committed, error) {
		return s.client.Deploy(ctx, request)
	})
	if err != nil {
		return err
	}
	return s.conclude(ctx, o.changeOptions, done, done, "deployed %s", request.Application)
}

// request is what the flags and arguments ask for, but for the charm.
func (o *deployOptions) request(args []string) (r operator.Deploy, err error) {
	r = operator.Deploy{Change: o.change(), Units: o.units, To: o.to, Trust: o.trust, Expose: o.expose}
	if len(args) > 1 {
		if r.Application, err = model.ParseApplicationName(args[1]); err != nil {
			return r, err
		}
	}
	if o.units < 0 {
		return r, fmt.Errorf("--num-units %d: expected a positive number: %w", o.units, model.ErrInvalid)
	}
	for _, directive := range o.to {
		if _, err := bundle.ParsePlacement(directive); err != nil {
			return r, fmt.Errorf("--to: %w", err)
		}
	}
	if r.Constraints, err = model.ParseConstraints(o.constraints); err != nil {
		return r, fmt.Errorf("--constraints: %w", err)
	}
	r.Config, err = deployConfig(r.Application, args[0], o.config)
	return r, err
}
