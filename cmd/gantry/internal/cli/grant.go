package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

func newGrant(sh *shell) *cobra.Command {
	return granting(sh, "grant", "Give a user access to a model, or a role in the controller", `Give a user access to models: read, write or admin, each of which includes
those before it. With add-model or superuser, which are of the controller, name
no model.`, "granted", true)
}

func newRevoke(sh *shell) *cobra.Command {
	return granting(sh, "revoke", "Take from a user access to a model, or a role in the controller", `Take from a user the access that is named and those above it: to revoke write
leaves read, to revoke read leaves none. It holds at once, also for what the
user has open.`, "revoked", false)
}

func granting(sh *shell, use, short, long, done string, give bool) *cobra.Command {
	o := &changeOptions{}
	cmd := &cobra.Command{
		Use: use + " USER ACCESS [MODEL...]", Short: short, Long: long, Args: cobra.MinimumNArgs(2),
		RunE: sh.connected(func(ctx context.Context, s *session, args []string) error {
			name, err := model.ParseUserName(args[0])
			if err != nil {
				return err
			}
			switch what, models := args[1], args[2:]; {
			case what == "add-model" || what == "superuser":
				if len(models) > 0 {
					return fmt.Errorf("%s is of the controller: name no model: %w", what, model.ErrInvalid)
				}
				request := operator.ChangeUser{Change: o.change(), Name: name}
				if what == "superuser" {
					request.Superuser = &give
				} else {
					request.AddModels = &give
				}
				at, err := commit(ctx, s, use, func(ctx context.Context) (operator.Committed, error) { return s.client.ChangeUser(ctx, request) })
				if err != nil {
					return err
				}
				return s.conclude(ctx, *o, at, at, "%s %s: %s", done, name, what)
			default:
				return s.grantModels(ctx, o, name, what, models, done, give)
			}
		}),
	}
	cmd.Flags().StringVar(&o.reason, "reason", "", "why, kept with the change")
	return cmd
}

// below is what is left when an access is revoked.
var below = map[model.AccessLevel]string{model.ReadAccess: "none", model.WriteAccess: "read", model.AdminAccess: "write"}

func (s *session) grantModels(ctx context.Context, o *changeOptions, name model.UserName, what string, models []string, done string, give bool) error {
	level, err := model.ParseAccessLevel(what)
	if err != nil || level == "" {
		return fmt.Errorf("access %q: expected read, write, admin, add-model or superuser%s: %w", what,
			model.DidYouMean(what, []string{"read", "write", "admin", "add-model", "superuser"}), model.ErrInvalid)
	}
	access := string(level)
	if !give {
		access = below[level]
	}
	if len(models) == 0 {
		models = []string{string(s.model)}
	}
	for _, word := range models {
		m, err := model.ParseModelName(word)
		if err != nil {
			return err
		}
		request := operator.Grant{Change: o.change(), Model: m, User: name, Access: access}
		at, err := commit(ctx, s, "changing access", func(ctx context.Context) (operator.Committed, error) { return s.client.Grant(ctx, request) })
		if err != nil {
			return err
		}
		if err := s.conclude(ctx, *o, at, at, "%s %s: %s to model %s", done, name, level, m); err != nil {
			return err
		}
	}
	return nil
}
