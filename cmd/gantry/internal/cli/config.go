package cli

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

type configOptions struct {
	changeOptions
	file  string
	reset []string
}

func newConfig(sh *shell) *cobra.Command {
	o := &configOptions{}
	cmd := &cobra.Command{
		Use:   "config APPLICATION [OPTION | OPTION=VALUE...]",
		Short: "Show or change an application's options",
		Example: `  gantry config postgresql
  gantry config postgresql max_connections
  gantry config postgresql max_connections=200 work_mem=8MB
  gantry config postgresql --reset work_mem`,
		Args: atLeast("an application"),
		RunE: sh.connected(o.run),
	}
	cmd.Flags().StringVar(&o.file, "file", "", "YAML file of options to set")
	cmd.Flags().StringSliceVar(&o.reset, "reset", nil, "options to return to their defaults, with commas between")
	o.register(cmd)
	return cmd
}

func (o *configOptions) run(ctx context.Context, s *session, args []string) error {
	app, err := model.ParseApplicationName(args[0])
	if err != nil {
		return err
	}
	set, names, err := assignments(args[1:])
	if err != nil {
		return err
	}
	if o.file != "" {
		fromFile, err := readConfigFile(o.file, string(app))
		if err != nil {
			return err
		}
		maps.Copy(fromFile, set)
		set = fromFile
	}
	changes := len(set) > 0 || len(o.reset) > 0
	switch {
	case changes && len(names) > 0:
		return fmt.Errorf("config %s: %q has no value; write %s=VALUE to set it: %w", app, names[0], names[0], model.ErrInvalid)
	case changes:
		return o.set(ctx, s, operator.SetConfig{Change: o.change(), Model: s.model, Application: app, Set: set, Reset: o.reset})
	case len(names) > 1:
		return fmt.Errorf("config %s: expected one option to show, found %s: %w", app, strings.Join(names, " "), model.ErrInvalid)
	}
	options, err := s.client.Config(ctx, s.model, app)
	if err != nil {
		return err
	}
	if len(names) == 1 {
		return showOption(s, app, options, names[0])
	}
	return s.answer(options, func(w io.Writer) { writeOptions(w, options) })
}

func (o *configOptions) set(ctx context.Context, s *session, r operator.SetConfig) error {
	done, err := commit(ctx, s, fmt.Sprintf("configuring %s", r.Application), func(ctx context.Context) (operator.Committed, error) {
		return s.client.SetConfig(ctx, r)
	})
	if err != nil {
		return err
	}
	changed := append(slices.Sorted(maps.Keys(r.Set)), r.Reset...)
	return s.conclude(ctx, o.changeOptions, done, done, "changed %s of %s", strings.Join(changed, ", "), r.Application)
}

// showOption prints one value alone, so that a script can use it.
func showOption(s *session, app model.ApplicationName, options []operator.Option, name string) error {
	for _, option := range options {
		if option.Name == name {
			return s.answer(option, func(w io.Writer) { fmt.Fprintln(w, textOf(option.Value)) })
		}
	}
	return unknownOption(app, options, name)
}

func unknownOption(app model.ApplicationName, options []operator.Option, name string) error {
	var known []string
	for _, option := range options {
		known = append(known, option.Name)
	}
	return fmt.Errorf("application %s has no option %q%s: %w", app, name, model.DidYouMean(name, known), model.ErrNotFound)
}

func writeOptions(w io.Writer, options []operator.Option) {
	t := &table{}
	t.row("Option", "Value", "From", "Type", "Description")
	for _, o := range options {
		from := "default"
		if o.Set {
			from = "operator"
		}
		t.row(o.Name, textOf(o.Value), from, o.Type, firstLine(o.Description))
	}
	t.write(w)
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return line
}
