package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/gantry-orchestrator/gantry/engine/client"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

type loginOptions struct {
	name      string
	addresses []string
}

func newLogin(sh *shell) *cobra.Command {
	o := &loginOptions{}
	cmd := &cobra.Command{
		Use:   "login [TOKEN]",
		Short: "Log in to a controller with a token, which is read from standard input where it is not given",
		Long: `Log in to a controller with the one-time token of gantry add-user, or with
that of gantry token create. The token is read from standard input where it is
not given: an argument is seen by others on this host.

Your private key is made here and never leaves. The context is a file of mode
0600 below XDG_CONFIG_HOME (or ~/.config), and becomes the one in use.`,
		Args: between(0, 1, "a token"),
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd.Context(), sh, args) },
	}
	cmd.Flags().StringVar(&o.name, "name", "", "name of the context (default: the user's)")
	cmd.Flags().StringSliceVar(&o.addresses, "address", nil, "HOST:PORT of a controller, where the token's do not lead there; may be repeated")
	return cmd
}

func (o *loginOptions) run(ctx context.Context, sh *shell, args []string) error {
	token, err := readToken(sh.Stdin, args)
	if err != nil {
		return err
	}
	join := func(ctx context.Context) (client.Context, error) { return client.ParseWord(token) }
	if _, err := client.ParseWord(token); err != nil {
		user, err := client.Registers(token)
		if err != nil {
			return err
		}
		if len(o.addresses) > 0 {
			if token, err = client.RegisterAt(token, o.addresses); err != nil {
				return err
			}
		}
		o.name = firstOf(o.name, string(user))
		join = func(ctx context.Context) (client.Context, error) { return client.Join(ctx, token) }
	}
	if o.name == "" {
		return fmt.Errorf("a pipeline's token has no name: give one with --name: %w", model.ErrInvalid)
	}
	path, err := sh.savedContext(o.name)
	if err != nil {
		return err
	}
	if _, err := os.Stat(path); err == nil {
		return fmt.Errorf("context %s exists: give another --name, or end it with gantry logout --context %s: %w", o.name, o.name, model.ErrConflict)
	}
	where, err := join(ctx)
	if err != nil {
		return err
	}
	if len(o.addresses) > 0 {
		where.Addresses = o.addresses
	}
	if err := where.Save(path); err != nil {
		return err
	}
	if err := sh.savePreferences(preferences{Context: o.name}); err != nil {
		return err
	}
	return sh.answer(contextLine{o.name, true, where.Addresses}, func(w io.Writer) {
		if !sh.flags.quiet {
			fmt.Fprintf(w, "logged in; context %s is in use\n", o.name)
		}
	})
}

func readToken(stdin io.Reader, args []string) (string, error) {
	if len(args) > 0 && args[0] != "-" {
		return args[0], nil
	}
	line, err := bufio.NewReader(io.LimitReader(stdin, 1<<20)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("read the token: %w", err)
	}
	if line = strings.TrimSpace(line); line == "" {
		return "", fmt.Errorf("no token: give that of gantry add-user: %w", model.ErrInvalid)
	}
	return line, nil
}

func newLogout(sh *shell) *cobra.Command {
	return &cobra.Command{
		Use:   "logout",
		Short: "End the login of the context in use, and forget it",
		Long: `End the login of the context in use: its certificate is refused from then on,
also on what it has open, and its file is removed. The context of this host's
own install stays: see gantry down.`,
		Args: exactly(),
		RunE: sh.connected(func(ctx context.Context, s *session, _ []string) error {
			path, err := s.contextPath()
			if err != nil {
				return err
			}
			if own, err := s.ownContext(); err == nil && own == path {
				return fmt.Errorf("the context of this host's own install is not logged out: name another with --context: %w", model.ErrInvalid)
			}
			done, err := commit(ctx, s, "logging out", func(ctx context.Context) (operator.Committed, error) {
				return s.client.Logout(ctx, operator.Change{Key: uuid.NewString()})
			})
			if err != nil && !errors.Is(err, model.ErrDenied) {
				return err // denied: it has ended before
			}
			if err := s.forgetContext(path); err != nil {
				return err
			}
			return s.answer(done, func(w io.Writer) {
				fmt.Fprintf(w, "logged out of %s\n", strings.TrimSuffix(filepath.Base(path), ".json"))
			})
		}),
	}
}

func newWhoAmI(sh *shell) *cobra.Command {
	return &cobra.Command{
		Use:   "whoami",
		Short: "Show who you are to the controller, and what you may do",
		Args:  exactly(),
		RunE: sh.connected(func(ctx context.Context, s *session, _ []string) error {
			who, err := s.client.WhoAmI(ctx)
			if err != nil {
				return err
			}
			return s.answer(who, func(w io.Writer) {
				fmt.Fprintf(w, "%s: %s\n", who.User.Name, controllerRole(who.User))
				if t := who.Token; t != nil {
					fmt.Fprintf(w, "by token %s (%s): %s in model %s until %s\n", t.ID, t.Label, t.Access, t.Model, stamp(t.Expires))
				}
				writeAccess(w, who.User)
			})
		}),
	}
}
