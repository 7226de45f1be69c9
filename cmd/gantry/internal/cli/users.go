package cli

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

// controllerRole is what a user may do with the controller.
func controllerRole(u operator.User) string {
	switch {
	case u.Disabled:
		return "disabled"
	case u.Superuser:
		return "superuser"
	case u.AddModels:
		return "add-model"
	default:
		return "login"
	}
}

// stamp writes a time for people.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 MST") }

type addUserOptions struct {
	changeOptions
	superuser, addModels bool
}

func newAddUser(sh *shell) *cobra.Command {
	o := &addUserOptions{}
	cmd := &cobra.Command{
		Use:   "add-user USER",
		Short: "Add a user, and print the token with which they log in once",
		Args:  exactly("a user"),
		RunE: sh.connected(func(ctx context.Context, s *session, args []string) error {
			name, err := model.ParseUserName(args[0])
			if err != nil {
				return err
			}
			request := operator.AddUser{Change: o.change(), Name: name, Superuser: o.superuser, AddModels: o.addModels}
			made, err := s.client.AddUser(ctx, request)
			if err != nil {
				return err
			}
			return s.registration(name, made)
		}),
	}
	cmd.Flags().BoolVar(&o.superuser, "superuser", false, "may do everything")
	cmd.Flags().BoolVar(&o.addModels, "add-model", false, "may add models, and administers those")
	cmd.Flags().StringVar(&o.reason, "reason", "", "why, kept with the change")
	return cmd
}

// registration prints a token, which is told this once.
func (s *session) registration(name model.UserName, r operator.Registration) error {
	return s.answer(r, func(w io.Writer) {
		if !s.flags.quiet {
			fmt.Fprintf(w, "%s logs in with this token, once, until %s:\n  gantry login\n", name, stamp(r.Expires))
		}
		fmt.Fprintln(w, r.Token)
	})
}

func newRegisterUser(sh *shell) *cobra.Command {
	var revoke bool
	o := &changeOptions{}
	cmd := &cobra.Command{
		Use:   "register-user USER",
		Short: "Print another token for a user, for another computer or after a loss",
		Args:  exactly("a user"),
		RunE: sh.connected(func(ctx context.Context, s *session, args []string) error {
			name, err := model.ParseUserName(args[0])
			if err != nil {
				return err
			}
			made, err := s.client.RegisterUser(ctx, operator.RegisterUser{Change: o.change(), Name: name, Revoke: revoke})
			if err != nil {
				return err
			}
			return s.registration(name, made)
		}),
	}
	cmd.Flags().BoolVar(&revoke, "revoke", false, "end every login that the user has, at once")
	cmd.Flags().StringVar(&o.reason, "reason", "", "why, kept with the change")
	return cmd
}

func newUsers(sh *shell) *cobra.Command {
	return &cobra.Command{
		Use:     "users",
		Aliases: []string{"list-users"},
		Short:   "List the users, and what they may do",
		Args:    exactly(),
		RunE: sh.connected(func(ctx context.Context, s *session, _ []string) error {
			list, err := s.client.ListUsers(ctx)
			if err != nil {
				return err
			}
			return s.answer(list, func(w io.Writer) {
				t := &table{}
				t.row("User", "Controller", "Models", "Logins", "Tokens", "Registration")
				for _, u := range list {
					t.row(string(u.Name), controllerRole(u), strings.Join(accesses(u), " "), count(len(u.Certificates)), count(u.Tokens), waits(u))
				}
				t.write(w)
			})
		}),
	}
}

func count(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprint(n)
}

func waits(u operator.User) string {
	if u.Registering.IsZero() {
		return ""
	}
	return "until " + stamp(u.Registering)
}

// accesses lists "model:level", by model.
func accesses(u operator.User) (list []string) {
	for _, m := range slices.Sorted(maps.Keys(u.Access)) {
		list = append(list, fmt.Sprintf("%s:%s", m, u.Access[m]))
	}
	return list
}

func writeAccess(w io.Writer, u operator.User) {
	for _, m := range slices.Sorted(maps.Keys(u.Access)) {
		fmt.Fprintf(w, "model %s: %s\n", m, u.Access[m])
	}
}

func newShowUser(sh *shell) *cobra.Command {
	return &cobra.Command{
		Use:   "show-user USER",
		Short: "Show a user with access, logins and tokens",
		Args:  exactly("a user"),
		RunE: sh.connected(func(ctx context.Context, s *session, args []string) error {
			list, err := s.client.ListUsers(ctx)
			if err != nil {
				return err
			}
			var known []string
			for _, u := range list {
				if string(u.Name) == args[0] {
					return s.answer(u, func(w io.Writer) { writeUser(w, u) })
				}
				known = append(known, string(u.Name))
			}
			return fmt.Errorf("user %s, see gantry users%s: %w", args[0], model.DidYouMean(args[0], known), model.ErrNotFound)
		}),
	}
}

func writeUser(w io.Writer, u operator.User) {
	fmt.Fprintf(w, "%s: %s\n", u.Name, controllerRole(u))
	writeAccess(w, u)
	for _, c := range u.Certificates {
		until := ""
		if !c.Until.IsZero() {
			until = " until " + stamp(c.Until)
		}
		fmt.Fprintf(w, "login %s%s\n", c.Fingerprint[:16], until)
	}
	if u.Tokens > 0 {
		fmt.Fprintf(w, "%s, see gantry token list\n", counted(u.Tokens, "token"))
	}
	if r := waits(u); r != "" {
		fmt.Fprintf(w, "registration waits %s\n", r)
	}
}

// userChange is a command that changes one user.
func userChange(sh *shell, use, short, done string, send func(context.Context, *session, model.UserName, operator.Change) (operator.Committed, error)) *cobra.Command {
	o := &changeOptions{}
	cmd := &cobra.Command{
		Use:   use + " USER",
		Short: short,
		Args:  exactly("a user"),
		RunE: sh.connected(func(ctx context.Context, s *session, args []string) error {
			name, err := model.ParseUserName(args[0])
			if err != nil {
				return err
			}
			change := operator.Change{Key: uuid.NewString(), Reason: o.reason}
			at, err := commit(ctx, s, use, func(ctx context.Context) (operator.Committed, error) { return send(ctx, s, name, change) })
			if err != nil {
				return err
			}
			return s.conclude(ctx, *o, at, at, "%s user %s", done, name)
		}),
	}
	cmd.Flags().StringVar(&o.reason, "reason", "", "why, kept with the change")
	return cmd
}

func newDisableUser(sh *shell) *cobra.Command {
	return userChange(sh, "disable-user", "Refuse a user everything at once, until enable-user", "disabled", disabling(true))
}

func newEnableUser(sh *shell) *cobra.Command {
	return userChange(sh, "enable-user", "Let a disabled user in again", "enabled", disabling(false))
}

func disabling(disabled bool) func(context.Context, *session, model.UserName, operator.Change) (operator.Committed, error) {
	return func(ctx context.Context, s *session, name model.UserName, c operator.Change) (operator.Committed, error) {
		return s.client.ChangeUser(ctx, operator.ChangeUser{Change: c, Name: name, Disabled: &disabled})
	}
}

func newRemoveUser(sh *shell) *cobra.Command {
	return userChange(sh, "remove-user", "Remove a user with every login, token and access", "removed",
		func(ctx context.Context, s *session, name model.UserName, c operator.Change) (operator.Committed, error) {
			return s.client.RemoveUser(ctx, name, c)
		})
}
