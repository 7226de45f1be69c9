package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/bundle"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

type addUnitOptions struct {
	changeOptions
	count int
	to    []string
}

func newAddUnit(sh *shell) *cobra.Command {
	o := &addUnitOptions{}
	cmd := &cobra.Command{
		Use:     "add-unit APPLICATION",
		Short:   "Add units to an application",
		Example: "  gantry add-unit postgresql -n 2",
		Args:    exactly("an application"),
		RunE:    sh.connected(o.run),
	}
	cmd.Flags().IntVarP(&o.count, "num-units", "n", 1, "number of units to add")
	cmd.Flags().StringSliceVar(&o.to, "to", nil, "where they go: a machine's number, a unit, or new")
	o.register(cmd)
	return cmd
}

func (o *addUnitOptions) run(ctx context.Context, s *session, args []string) error {
	app, err := model.ParseApplicationName(args[0])
	if err != nil {
		return err
	}
	if o.count < 1 {
		return fmt.Errorf("--num-units %d: expected a positive number: %w", o.count, model.ErrInvalid)
	}
	for _, directive := range o.to {
		if _, err := bundle.ParsePlacement(directive); err != nil {
			return fmt.Errorf("--to: %w", err)
		}
	}
	request := operator.AddUnits{Change: o.change(), Model: s.model, Application: app, Count: o.count, To: o.to}
	done, err := commit(ctx, s, "adding units to "+args[0], func(ctx context.Context) (operator.UnitsAdded, error) {
		return s.client.AddUnits(ctx, request)
	})
	if err != nil {
		return err
	}
	return s.conclude(ctx, o.changeOptions, done.Committed, done, "added %s", unitNames(done.Units))
}

func unitNames(units []model.UnitName) string {
	var names []string
	for _, u := range units {
		names = append(names, u.String())
	}
	return strings.Join(names, ", ")
}

func newRemoveUnit(sh *shell) *cobra.Command {
	o := &removal{}
	cmd := &cobra.Command{
		Use:   "remove-unit UNIT...",
		Short: "Remove units",
		Args:  atLeast("a unit"),
		RunE: sh.connected(func(ctx context.Context, s *session, args []string) error {
			return removeUnits(ctx, s, o, args)
		}),
	}
	o.register(cmd, true)
	return cmd
}

func removeUnits(ctx context.Context, s *session, o *removal, args []string) error {
	units, err := parseAll(args, model.ParseUnitName)
	if err != nil {
		return err
	}
	status, err := s.client.Status(ctx, s.model)
	if err != nil {
		return err
	}
	going, err := goingUnits(status, units)
	if err != nil {
		return err
	}
	if ok, err := o.confirm(s, going); !ok {
		return err
	}
	request := operator.RemoveUnits{Change: o.change(), Model: s.model, Units: units, DestroyStorage: o.destroyStorage, Force: o.force}
	done, err := commit(ctx, s, "removing "+strings.Join(args, ", "), func(ctx context.Context) (operator.Committed, error) {
		return s.client.RemoveUnits(ctx, request)
	})
	if err != nil {
		return err
	}
	return s.conclude(ctx, o.changeOptions, done, done, "removing %s", unitNames(units))
}

// goingUnits lists units with the subordinates below them, and refuses those
// that are not there.
func goingUnits(status operator.Status, units []model.UnitName) (going []string, err error) {
	found := map[model.UnitName]bool{}
	for _, a := range status.Applications {
		for _, u := range a.Units {
			if slices.Contains(units, u.Name) || slices.Contains(units, u.Principal) {
				found[u.Name] = true
				going = append(going, unitLine(u))
			}
		}
	}
	for _, u := range units {
		if !found[u] {
			return nil, fmt.Errorf("unit %s in model %s: %w", u, status.Model.Name, model.ErrNotFound)
		}
	}
	return going, nil
}
