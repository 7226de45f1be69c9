package cli

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"github.com/gantry-orchestrator/gantry/engine/client"
	"github.com/gantry-orchestrator/gantry/model"
)

// shell is what every command shares.
type shell struct {
	Config
	flags struct {
		context, model, output string
		noColor, quiet         bool
	}
}

func (sh *shell) register(flags *pflag.FlagSet) {
	flags.StringVar(&sh.flags.context, "context", "", "name or file of the context that says how to reach the controller (GANTRY_CONTEXT)")
	flags.StringVarP(&sh.flags.model, "model", "m", "", "model to work in (GANTRY_MODEL, else the one switched to)")
	flags.StringVarP(&sh.flags.output, "output", "o", "text", "format of the answer: text, json or yaml")
	flags.BoolVar(&sh.flags.noColor, "no-color", false, "no colour on a terminal (NO_COLOR)")
	flags.BoolVarP(&sh.flags.quiet, "quiet", "q", false, "no progress and no confirmation, only what was asked for")
}

// check refuses global flags that no command can use.
func (sh *shell) check() error {
	switch sh.flags.output {
	case "text", "json", "yaml":
		return nil
	}
	return fmt.Errorf("--output %q: expected text, json or yaml%s: %w",
		sh.flags.output, model.DidYouMean(sh.flags.output, []string{"text", "json", "yaml"}), model.ErrInvalid)
}

// session is a shell with a connection to the controller and a model.
type session struct {
	*shell
	client *client.Client
	model  model.ModelName
}

// connected makes a command's run from one that needs a controller.
func (sh *shell) connected(run func(context.Context, *session, []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		name, err := sh.currentModel()
		if err != nil {
			return err
		}
		where, err := sh.identity()
		if err != nil {
			return err
		}
		c, err := client.Dial(where)
		if err != nil {
			return err
		}
		defer c.Close()
		s := &session{shell: sh, client: c, model: name}
		s.renewed(cmd.Context(), where)
		err = s.blameChoice(cmd.Context(), run(cmd.Context(), s, args))
		if why := c.Stale(); why != "" {
			fmt.Fprintln(sh.Stderr, "stale:", why)
		}
		return err
	}
}

// firstOf returns the first of texts that is not empty.
func firstOf(texts ...string) string {
	for _, text := range texts {
		if text != "" {
			return text
		}
	}
	return ""
}

// terminal reports whether a stream of the shell is one, and its width.
func terminal(stream any) (width int, ok bool) {
	f, isFile := stream.(*os.File)
	if !isFile || !term.IsTerminal(int(f.Fd())) {
		return 0, false
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil || width <= 0 {
		width = 80
	}
	return width, true
}

// palette is the colours for what is printed, or none.
func (sh *shell) palette() palette {
	_, ok := terminal(sh.Stdout)
	return palette(ok && !sh.flags.noColor && sh.Getenv("NO_COLOR") == "" && sh.Getenv("TERM") != "dumb")
}
