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

func newModels(sh *shell) *cobra.Command {
	return &cobra.Command{
		Use:     "models",
		Aliases: []string{"list-models"},
		Short:   "List the models; a * marks the one that commands work in",
		Args:    exactly(),
		RunE: sh.connected(func(ctx context.Context, s *session, _ []string) error {
			list, err := s.client.ListModels(ctx)
			if err != nil {
				return err
			}
			return s.answer(list, func(w io.Writer) { writeModels(w, s.model, list) })
		}),
	}
}

func writeModels(w io.Writer, current model.ModelName, list []operator.ModelSummary) {
	t := &table{}
	t.row("Model", "Life", "Revision", "Applications", "Units", "Machines", "Access")
	for _, m := range list {
		name := string(m.Name)
		if m.Name == current {
			name += "*"
		}
		t.row(name, m.Life.String(), fmt.Sprint(m.Revision), fmt.Sprint(m.Applications), fmt.Sprint(m.Units), fmt.Sprint(m.Machines), m.Access)
	}
	t.write(w)
}

type addModelOptions struct {
	changeOptions
	provider string
	noSwitch bool
}

func newAddModel(sh *shell) *cobra.Command {
	o := &addModelOptions{}
	cmd := &cobra.Command{
		Use:   "add-model MODEL",
		Short: "Add an empty model and switch to it",
		Args:  exactly("a name"),
		RunE:  sh.connected(o.run),
	}
	cmd.Flags().StringVar(&o.provider, "provider", "", "what makes its machines; empty for the controller's own")
	cmd.Flags().BoolVar(&o.noSwitch, "no-switch", false, "stay in the model that commands work in")
	cmd.Flags().StringVar(&o.reason, "reason", "", "why, kept with the change")
	return cmd
}

func (o *addModelOptions) run(ctx context.Context, s *session, args []string) error {
	name, err := model.ParseModelName(args[0])
	if err != nil {
		return err
	}
	request := operator.AddModel{Change: o.change(), Name: name, Provider: o.provider}
	done, err := commit(ctx, s, "adding model "+args[0], func(ctx context.Context) (operator.Committed, error) {
		return s.client.AddModel(ctx, request)
	})
	if err != nil {
		return err
	}
	if !o.noSwitch {
		if err := s.workIn(name); err != nil {
			return err
		}
	}
	return s.conclude(ctx, o.changeOptions, done, done, "added model %s", name)
}

func newSwitch(sh *shell) *cobra.Command {
	return &cobra.Command{
		Use:   "switch [MODEL | CONTEXT: | CONTEXT:MODEL]",
		Short: "Choose the model, or the controller, that commands work in, or show it",
		Args:  between(0, 1, "a model"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				name, err := sh.currentModel()
				if err != nil {
					return err
				}
				return sh.answer(preferences{Model: name}, func(w io.Writer) { fmt.Fprintln(w, name) })
			}
			if strings.Contains(args[0], ":") {
				return sh.switchContext(args[0])
			}
			return sh.connected(switchTo)(cmd, args)
		},
	}
}

func switchTo(ctx context.Context, s *session, args []string) error {
	name, err := model.ParseModelName(args[0])
	if err != nil {
		return err
	}
	list, err := s.client.ListModels(ctx)
	if err != nil {
		return err
	}
	var known []string
	for _, m := range list {
		if m.Name == name {
			if err := s.workIn(name); err != nil {
				return err
			}
			return s.answer(preferences{Model: name}, func(w io.Writer) { fmt.Fprintln(w, s.model, "->", name) })
		}
		known = append(known, string(m.Name))
	}
	return fmt.Errorf("model %s, see gantry models%s: %w", name, model.DidYouMean(args[0], known), model.ErrNotFound)
}

func newDestroyModel(sh *shell) *cobra.Command {
	o := &removal{}
	cmd := &cobra.Command{
		Use:   "destroy-model MODEL",
		Short: "Destroy a model with all that is in it",
		Args:  exactly("a model"),
		RunE: sh.connected(func(ctx context.Context, s *session, args []string) error {
			return destroyModel(ctx, s, o, args[0])
		}),
	}
	o.register(cmd, true)
	return cmd
}

func destroyModel(ctx context.Context, s *session, o *removal, word string) error {
	name, err := model.ParseModelName(word)
	if err != nil {
		return err
	}
	status, err := s.client.Status(ctx, name)
	if err != nil {
		return err
	}
	going := []string{fmt.Sprintf("model %s with %s and %s", name, counted(len(status.Applications), "application"), counted(len(status.Machines), "machine"))}
	for _, a := range status.Applications {
		going = append(going, fmt.Sprintf("application %s with %s", a.Name, counted(len(a.Units), "unit")))
	}
	if ok, err := o.confirm(s, going); !ok {
		return err
	}
	request := operator.DestroyModel{Change: o.change(), Model: name, DestroyStorage: o.destroyStorage, Force: o.force}
	done, err := commit(ctx, s, "destroying model "+word, func(ctx context.Context) (operator.Committed, error) {
		return s.client.DestroyModel(ctx, request)
	})
	if err != nil {
		return err
	}
	return s.gone(ctx, name, o, done)
}
