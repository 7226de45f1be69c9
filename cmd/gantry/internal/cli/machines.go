package cli

import (
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

func newMachines(sh *shell) *cobra.Command {
	return &cobra.Command{
		Use:     "machines",
		Aliases: []string{"list-machines"},
		Short:   "List the model's machines",
		Args:    exactly(),
		RunE: sh.connected(func(ctx context.Context, s *session, _ []string) error {
			list, err := s.client.ListMachines(ctx, s.model)
			if err != nil {
				return err
			}
			return s.answer(list, func(w io.Writer) {
				if len(list) == 0 {
					fmt.Fprintln(w, "There is no machine yet: gantry add-machine, or deploy something.")
					return
				}
				writeMachines(w, s.palette(), list)
			})
		}),
	}
}

type addMachineOptions struct {
	changeOptions
	constraints, base string
}

func newAddMachine(sh *shell) *cobra.Command {
	o := &addMachineOptions{}
	cmd := &cobra.Command{
		Use:   "add-machine",
		Short: "Add a machine without units",
		Args:  exactly(),
		RunE:  sh.connected(o.run),
	}
	cmd.Flags().StringVar(&o.constraints, "constraints", "", `what it must offer, such as "cores=2 mem=4G"`)
	cmd.Flags().StringVar(&o.base, "base", "", "system that it runs, such as debian@12")
	o.register(cmd)
	return cmd
}

func (o *addMachineOptions) run(ctx context.Context, s *session, _ []string) error {
	wanted, err := model.ParseConstraints(o.constraints)
	if err != nil {
		return fmt.Errorf("--constraints: %w", err)
	}
	request := operator.AddMachine{Change: o.change(), Model: s.model, Constraints: wanted, Base: o.base}
	done, err := commit(ctx, s, "adding a machine", func(ctx context.Context) (operator.MachineAdded, error) {
		return s.client.AddMachine(ctx, request)
	})
	if err != nil {
		return err
	}
	return s.conclude(ctx, o.changeOptions, done.Committed, done, "added machine %s", done.Machine)
}

func newRemoveMachine(sh *shell) *cobra.Command {
	o := &removal{}
	cmd := &cobra.Command{
		Use:   "remove-machine MACHINE...",
		Short: "Remove machines; those with units only with --force",
		Args:  atLeast("a machine"),
		RunE: sh.connected(func(ctx context.Context, s *session, args []string) error {
			return removeMachines(ctx, s, o, args)
		}),
	}
	o.register(cmd, false)
	return cmd
}

func removeMachines(ctx context.Context, s *session, o *removal, args []string) error {
	names, err := parseAll(args, model.ParseMachineName)
	if err != nil {
		return err
	}
	list, err := s.client.ListMachines(ctx, s.model)
	if err != nil {
		return err
	}
	var going []string
	for _, name := range names {
		i := slices.IndexFunc(list, func(m operator.Machine) bool { return m.Name == name })
		if i < 0 {
			return fmt.Errorf("machine %s in model %s: %w", name, s.model, model.ErrNotFound)
		}
		line := "machine " + string(name)
		if len(list[i].Units) > 0 {
			line += " with " + unitNames(list[i].Units)
		}
		going = append(going, line)
	}
	if ok, err := o.confirm(s, going); !ok {
		return err
	}
	for _, name := range names {
		request := operator.RemoveMachine{Change: o.change(), Model: s.model, Machine: name, Force: o.force}
		done, err := commit(ctx, s, "removing machine "+string(name), func(ctx context.Context) (operator.Committed, error) {
			return s.client.RemoveMachine(ctx, request)
		})
		if err != nil {
			return err
		}
		if err := s.conclude(ctx, o.changeOptions, done, done, "removing machine %s", name); err != nil {
			return err
		}
	}
	return nil
}
