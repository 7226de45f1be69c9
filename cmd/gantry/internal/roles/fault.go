package roles

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/gantry-orchestrator/gantry/engine/provider"
	"github.com/gantry-orchestrator/gantry/model"
)

// fault breaks a machine of this host on purpose, for drills: what a mission
// relies on in LEOP is rehearsed before.
func fault(places func() Places) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "fault",
		Short: "Break a machine of this host on purpose, to rehearse its recovery",
	}
	var name string
	cmd.PersistentFlags().StringVarP(&name, "model", "m", string(DefaultModel), "model of the machine")
	add := func(use, done, short string, do func(context.Context, machines, string) error) {
		cmd.AddCommand(&cobra.Command{
			Use: use + " MACHINE", Short: short, Args: cobra.ExactArgs(1),
			RunE: func(cmd *cobra.Command, args []string) error {
				if err := onMachine(cmd.Context(), places(), model.ModelName(name), args[0], do); err != nil {
					return err
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%s machine %s of model %s; see gantry status --watch\n", done, args[0], name)
				return nil
			},
		})
	}
	add("kill", "killed", "Kill all processes of a machine at once, as a power cut would", func(ctx context.Context, m machines, uuid string) error {
		return m.Kill(ctx, uuid)
	})
	add("cut", "cut off", "Cut a machine off the network; its processes run on", func(ctx context.Context, m machines, uuid string) error {
		i, err := isolator(m)
		if err != nil {
			return err
		}
		return i.Isolate(ctx, uuid)
	})
	add("heal", "healed", "Join a machine that was cut off to the network again", func(ctx context.Context, m machines, uuid string) error {
		i, err := isolator(m)
		if err != nil {
			return err
		}
		return i.Heal(ctx, uuid)
	})
	return cmd
}

func isolator(m machines) (provider.Isolator, error) {
	i, ok := m.(provider.Isolator)
	if !ok {
		return nil, fmt.Errorf("loopback machines share the host's network and cannot be cut off: %w", model.ErrInvalid)
	}
	return i, nil
}

func onMachine(ctx context.Context, p Places, m model.ModelName, text string, do func(context.Context, machines, string) error) error {
	name, err := model.ParseMachineName(text)
	if err != nil {
		return err
	}
	install, err := p.loadInstall()
	if err != nil {
		return err
	}
	made, err := openProvider(ctx, p, install, logger("fault"), nil)
	if err != nil {
		return err
	}
	all, err := made.List(ctx)
	if err != nil {
		return err
	}
	for _, i := range all {
		if i.Model == m && i.Name == name {
			return do(ctx, made, i.UUID)
		}
	}
	return fmt.Errorf("machine %s of model %s is not on this host: %w", name, m, model.ErrNotFound)
}
