package cli

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/gantry-orchestrator/gantry/engine/client"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

func newToken(sh *shell) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "token",
		Short: "Tokens for pipelines: one model, one access, for a time",
		Long: `Tokens for pipelines. A token is a certificate with its key: it reaches one
model, with at most your own access there, until it ends or is revoked. Give it
to a pipeline as GANTRY_TOKEN. The controller keeps its fingerprint alone.`,
		Args: noCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newTokenCreate(sh), newTokenList(sh), newTokenRevoke(sh))
	return cmd
}

type tokenOptions struct {
	changeOptions
	access string
	life   time.Duration
}

// createdToken is a token with its word, which is told this once.
type createdToken struct {
	operator.Token
	Word string `json:"token"`
}

func newTokenCreate(sh *shell) *cobra.Command {
	o := &tokenOptions{}
	cmd := &cobra.Command{
		Use:   "create LABEL",
		Short: "Make a token for the model that commands work in, and print it",
		Args:  exactly("a label that says what it is for"),
		RunE:  sh.connected(o.run),
	}
	cmd.Flags().StringVar(&o.access, "access", "read", "what it may do: read, write or admin")
	cmd.Flags().DurationVar(&o.life, "life", 90*24*time.Hour, "when it ends, such as 720h")
	cmd.Flags().StringVar(&o.reason, "reason", "", "why, kept with the change")
	return cmd
}

func (o *tokenOptions) run(ctx context.Context, s *session, args []string) error {
	level, err := model.ParseAccessLevel(o.access)
	if err != nil {
		return err
	}
	where, err := s.identity()
	if err != nil {
		return err
	}
	key, csr, err := client.NewKey()
	if err != nil {
		return err
	}
	made, err := s.client.CreateToken(ctx, operator.CreateToken{
		Change: o.change(), Model: s.model, Access: level, Label: args[0], Life: o.life, CSR: csr,
	})
	if err != nil {
		return err
	}
	word, err := client.Context{
		Addresses: where.Addresses, Controllers: where.Controllers, CA: made.CA, Certificate: made.Certificate, Key: key,
	}.Word()
	if err != nil {
		return err
	}
	return s.answer(createdToken{made.Token, word}, func(w io.Writer) {
		if !s.flags.quiet {
			fmt.Fprintf(w, "token %s: %s in model %s until %s; give it to a pipeline as GANTRY_TOKEN:\n", made.ID, made.Access, made.Model, stamp(made.Expires))
		}
		fmt.Fprintln(w, word)
	})
}

func newTokenList(sh *shell) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List your tokens; an administrator's list has everybody's",
		Args:  exactly(),
		RunE: sh.connected(func(ctx context.Context, s *session, _ []string) error {
			list, err := s.client.ListTokens(ctx)
			if err != nil {
				return err
			}
			return s.answer(list, func(w io.Writer) {
				t := &table{}
				t.row("Token", "User", "Model", "Access", "Until", "Label")
				for _, one := range list {
					t.row(one.ID, string(one.User), string(one.Model), string(one.Access), stamp(one.Expires), one.Label)
				}
				t.write(w)
			})
		}),
	}
}

func newTokenRevoke(sh *shell) *cobra.Command {
	o := &changeOptions{}
	cmd := &cobra.Command{
		Use:   "revoke TOKEN",
		Short: "End a token by its ID, at once",
		Args:  exactly("a token's ID"),
		RunE: sh.connected(func(ctx context.Context, s *session, args []string) error {
			change := o.change()
			at, err := commit(ctx, s, "revoking a token", func(ctx context.Context) (operator.Committed, error) {
				return s.client.RevokeToken(ctx, args[0], change)
			})
			if err != nil {
				return err
			}
			return s.conclude(ctx, *o, at, at, "revoked token %s", args[0])
		}),
	}
	cmd.Flags().StringVar(&o.reason, "reason", "", "why, kept with the change")
	return cmd
}
