package cli

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

func newControllers(sh *shell) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "controllers",
		Short: "List the controllers, and who of them leads",
		Args:  noCommand,
		RunE: sh.connected(func(ctx context.Context, s *session, _ []string) error {
			list, err := s.client.ListMembers(ctx)
			if err != nil {
				return err
			}
			if s.flags.output == "text" {
				defer s.sayDegraded(ctx)
			}
			return s.answer(list, func(w io.Writer) { writeControllers(w, list) })
		}),
	}
	cmd.AddCommand(newControllersTransfer(sh), newControllersRemove(sh))
	return cmd
}

// writeControllers lists controllers. Their first eight characters tell IDs
// apart.
func writeControllers(w io.Writer, list []operator.Controller) {
	t := &table{}
	t.row("Controller", "Unit", "Address", "Role", "Version", "Lag", "Last contact")
	for _, c := range list {
		unit, contact := "(up)", "-"
		if !c.Unit.IsZero() {
			unit = c.Unit.String()
		}
		switch {
		case c.Self:
			contact = "answers this"
		case c.LastContact > 0:
			contact = c.LastContact.Round(10*time.Millisecond).String() + " ago"
		}
		role := string(c.Role)
		if c.Role == operator.Follows && !c.Answers {
			role += ", does not answer"
		}
		t.row(short(c.ID), unit, c.Address, role, c.Version, fmt.Sprint(c.Lag), contact)
	}
	t.write(w)
}

func short(id string) string { return id[:min(8, len(id))] }

func newControllersTransfer(sh *shell) *cobra.Command {
	return &cobra.Command{
		Use:   "transfer [CONTROLLER]",
		Short: "Hand leadership to a controller, or to the best of them",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return fmt.Errorf("expected one controller at most: %w", model.ErrInvalid)
			}
			return nil
		},
		RunE: sh.connected(func(ctx context.Context, s *session, args []string) error {
			to := ""
			if len(args) == 1 {
				c, err := s.controller(ctx, args[0])
				if err != nil {
					return err
				}
				to = c.ID
			}
			if err := s.client.TransferLeadership(ctx, to); err != nil {
				return err
			}
			s.say("leadership was handed on")
			return nil
		}),
	}
}

func newControllersRemove(sh *shell) *cobra.Command {
	o := &removal{}
	cmd := &cobra.Command{
		Use:   "remove CONTROLLER",
		Short: "End the membership of a controller that does not come back",
		Long: `End the membership of a controller that does not come back. It is refused from
then on, whatever it has. One that runs on a machine goes with its unit:
gantry remove-unit does both.`,
		Args: exactly("a controller"),
		RunE: sh.connected(func(ctx context.Context, s *session, args []string) error {
			c, err := s.controller(ctx, args[0])
			if err != nil {
				return err
			}
			if ok, err := o.confirm(s, []string{"controller " + c.ID + " at " + c.Address}); !ok {
				return err
			}
			if err := s.client.RemoveMember(ctx, c.ID); err != nil {
				return err
			}
			s.say("controller %s is a member no more", short(c.ID))
			return nil
		}),
	}
	cmd.Flags().BoolVarP(&o.noPrompt, "no-prompt", "y", false, "do not ask; without a terminal nothing is asked")
	return cmd
}

// controller finds one by its ID or what that begins with, its unit or its
// address.
func (s *session) controller(ctx context.Context, word string) (operator.Controller, error) {
	list, err := s.client.ListMembers(ctx)
	if err != nil {
		return operator.Controller{}, err
	}
	var found []operator.Controller
	for _, c := range list {
		if strings.HasPrefix(c.ID, word) || c.Address == word || !c.Unit.IsZero() && c.Unit.String() == word {
			found = append(found, c)
		}
	}
	if len(found) != 1 {
		return operator.Controller{}, fmt.Errorf("controller %q: %d are meant by it, see gantry controllers: %w", word, len(found), model.ErrNotFound)
	}
	return found[0], nil
}
