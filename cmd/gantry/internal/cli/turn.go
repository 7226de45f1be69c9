package cli

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

func newTurn(sh *shell) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "turn",
		Short: "See and take back permissions to disrupt",
		Args:  noCommand,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newTurnList(sh), newTurnRevoke(sh))
	return cmd
}

func newTurnList(sh *shell) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List turns that units hold or ask for",
		Args:  exactly(),
		RunE: sh.connected(func(ctx context.Context, s *session, _ []string) error {
			list, err := s.client.ListTurns(ctx, s.model)
			if err != nil {
				return err
			}
			return s.answer(list, func(w io.Writer) {
				t := &table{}
				t.row("Unit", "Turn", "State", "Rank", "Since")
				for _, turn := range list {
					state := "asked for"
					if turn.Token != 0 {
						state = "held"
					}
					t.row(turn.Unit.String(), turn.Name, state, fmt.Sprint(turn.Rank), clock(turn.Since))
				}
				t.writeOr(w, "No turn is held or asked for.")
			})
		}),
	}
}

func newTurnRevoke(sh *shell) *cobra.Command {
	o := &changeOptions{}
	cmd := &cobra.Command{
		Use:   "revoke UNIT TURN",
		Short: "Take a turn from a unit that does not give it back",
		Args:  exactly("a unit", "a turn"),
		RunE: sh.connected(func(ctx context.Context, s *session, args []string) error {
			u, err := model.ParseUnitName(args[0])
			if err != nil {
				return err
			}
			request := operator.RevokeTurn{Change: o.change(), Model: s.model, Unit: u, Turn: args[1]}
			done, err := commit(ctx, s, "revoking turn "+args[1], func(ctx context.Context) (operator.Committed, error) {
				return s.client.RevokeTurn(ctx, request)
			})
			if err != nil {
				return err
			}
			return s.conclude(ctx, *o, done, done, "took turn %s from %s", args[1], u)
		}),
	}
	o.register(cmd)
	return cmd
}
