package cli

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/bundle"
	"github.com/gantry-orchestrator/gantry/model/charm"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

// newPlanConfig plans a change of options: the model's own bundle with other
// options is planned like another.
func newPlanConfig(sh *shell) *cobra.Command {
	return &cobra.Command{
		Use:     "config APPLICATION OPTION=VALUE...",
		Short:   "Show what setting options would do",
		Example: "  gantry plan config postgresql max_connections=200",
		Args:    atLeast("an application", "an option with its value"),
		RunE: sh.connected(func(ctx context.Context, s *session, args []string) error {
			app, err := model.ParseApplicationName(args[0])
			if err != nil {
				return err
			}
			set, rest, err := assignments(args[1:])
			if err != nil {
				return err
			}
			if len(rest) > 0 {
				return fmt.Errorf("plan config %s: %q has no value; write %s=VALUE: %w", app, rest[0], rest[0], model.ErrInvalid)
			}
			b, err := s.configured(ctx, app, set)
			if err != nil {
				return err
			}
			planned, err := s.plan(ctx, "the configuration of "+args[0], operator.Apply{Model: s.model, Bundle: bundle.Encode(b)})
			if err != nil {
				return err
			}
			return s.showPlan(planned)
		}),
	}
}

// configured is the model as a bundle, with options of an application set.
func (s *session) configured(ctx context.Context, app model.ApplicationName, set map[string]string) (*bundle.Bundle, error) {
	options, err := s.client.Config(ctx, s.model, app)
	if err != nil {
		return nil, err
	}
	text, err := s.client.ExportBundle(ctx, s.model)
	if err != nil {
		return nil, err
	}
	b, _, err := bundle.Parse("model "+string(s.model), text, nil)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(b.Applications, func(a bundle.Application) bool { return a.Name == app })
	if i < 0 {
		return nil, fmt.Errorf("application %s is being removed: %w", app, model.ErrConflict)
	}
	settings := charm.Settings{}
	maps.Copy(settings, b.Applications[i].Options)
	for name, text := range set {
		if settings[name], err = optionValue(app, options, name, text); err != nil {
			return nil, err
		}
	}
	b.Applications[i].Options = settings
	return b, nil
}

// optionValue is a text as the option's type has it. What does not fit stays a
// text, which the controller refuses with its reason.
func optionValue(app model.ApplicationName, options []operator.Option, name, text string) (charm.Value, error) {
	i := slices.IndexFunc(options, func(o operator.Option) bool { return o.Name == name })
	if i < 0 {
		return charm.Value{}, unknownOption(app, options, name)
	}
	switch charm.OptionType(options[i].Type) {
	case charm.IntOption:
		if v, err := strconv.ParseInt(text, 10, 64); err == nil {
			return charm.IntValue(v), nil
		}
	case charm.FloatOption:
		if v, err := strconv.ParseFloat(text, 64); err == nil {
			return charm.FloatValue(v), nil
		}
	case charm.BooleanOption:
		if v, err := strconv.ParseBool(text); err == nil {
			return charm.BoolValue(v), nil
		}
	}
	return charm.StringValue(text), nil
}
