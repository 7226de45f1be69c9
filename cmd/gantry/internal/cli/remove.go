package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

// removal are the flags of what takes things away.
type removal struct {
	changeOptions
	noPrompt, dryRun      bool
	destroyStorage, force bool
}

func (o *removal) register(cmd *cobra.Command, storage bool) {
	cmd.Flags().BoolVarP(&o.noPrompt, "no-prompt", "y", false, "do not ask; without a terminal nothing is asked")
	cmd.Flags().BoolVar(&o.dryRun, "dry-run", false, "say what would go, and remove nothing")
	cmd.Flags().BoolVar(&o.force, "force", false, "do not wait for what cannot be heard; what may be left behind is listed")
	if storage {
		cmd.Flags().BoolVar(&o.destroyStorage, "destroy-storage", false, "destroy the data too, which is kept otherwise")
	}
	o.changeOptions.register(cmd)
}

// confirm says what will go and, on a terminal, asks whether to go on.
func (o *removal) confirm(s *session, going []string) (bool, error) {
	out := s.Stderr
	if o.dryRun && s.flags.output == "text" {
		out = s.Stdout
	}
	if !s.flags.quiet || o.dryRun {
		for _, line := range going {
			fmt.Fprintln(out, "will remove", line)
		}
		if o.destroyStorage {
			fmt.Fprintln(out, "will destroy the data of all of these")
		}
	}
	if o.dryRun {
		return false, nil
	}
	if o.noPrompt {
		return true, nil
	}
	if err := Ask(s.Stdin, s.Stderr); err != nil {
		return false, err
	}
	return true, nil
}

// Ask asks on a terminal whether to go on with what was said to go; an error
// is the answer no. Without a terminal nothing is asked.
func Ask(in io.Reader, out io.Writer) error {
	if _, ok := terminal(in); !ok {
		return nil
	}
	fmt.Fprint(out, "continue? [y/N] ")
	line, err := bufio.NewReader(in).ReadString('\n')
	if err != nil && err != io.EOF {
		return fmt.Errorf("read the answer: %w", err)
	}
	if answer := strings.ToLower(strings.TrimSpace(line)); answer != "y" && answer != "yes" {
		return errors.New("nothing was removed")
	}
	return nil
}

// unitLine is a unit as confirm lists it.
func unitLine(u operator.Unit) string {
	if u.Machine == "" {
		return "unit " + u.Name.String()
	}
	return fmt.Sprintf("unit %s on machine %s", u.Name, u.Machine)
}

// newRemoveApplication removes applications with all that is theirs.
func newRemoveApplication(sh *shell) *cobra.Command {
	o := &removal{}
	cmd := &cobra.Command{
		Use:   "remove-application APPLICATION...",
		Short: "Remove applications, their units and their relations",
		Args:  atLeast("an application"),
		RunE: sh.connected(func(ctx context.Context, s *session, args []string) error {
			return removeApplications(ctx, s, o, args)
		}),
	}
	o.register(cmd, true)
	return cmd
}

func removeApplications(ctx context.Context, s *session, o *removal, args []string) error {
	names, err := parseAll(args, model.ParseApplicationName)
	if err != nil {
		return err
	}
	status, err := s.client.Status(ctx, s.model)
	if err != nil {
		return err
	}
	if err := present(status, names); err != nil {
		return err
	}
	if ok, err := o.confirm(s, goingWith(selected(status, names), names)); !ok {
		return err
	}
	for _, name := range names {
		request := operator.Removal{Change: o.change(), Model: s.model, Application: name, DestroyStorage: o.destroyStorage, Force: o.force}
		done, err := commit(ctx, s, "removing "+string(name), func(ctx context.Context) (operator.Committed, error) {
			return s.client.RemoveApplication(ctx, request)
		})
		if err != nil {
			return err
		}
		if err := s.conclude(ctx, o.changeOptions, done, done, "removing application %s", name); err != nil {
			return err
		}
	}
	return nil
}

// goingWith lists what goes with applications.
func goingWith(part operator.Status, names []model.ApplicationName) (going []string) {
	for _, name := range names {
		going = append(going, "application "+string(name))
	}
	for _, a := range part.Applications {
		for _, u := range a.Units {
			going = append(going, unitLine(u))
		}
	}
	for _, r := range part.Relations {
		if len(r.Ends) > 1 {
			going = append(going, fmt.Sprintf("relation %d %s", r.ID, relationEnds(r)))
		}
	}
	return going
}
