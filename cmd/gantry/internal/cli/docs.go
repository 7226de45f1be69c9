package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// newDocs prints docs/commands.md, so that the document is the commands' help.
func newDocs(sh *shell) *cobra.Command {
	return &cobra.Command{
		Use:    "docs",
		Short:  "Print every command's help as markdown",
		Hidden: true,
		Args:   exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			root := cmd.Root()
			w := sh.Stdout
			fmt.Fprintf(w, "# Commands\n\nWritten by `gantry docs`; do not edit.\n\n%s\n\n## Flags of every command\n\n", root.Long)
			writeFlags(w, root.PersistentFlags())
			for _, child := range root.Commands() {
				writeCommand(w, child)
			}
			return nil
		},
	}
}

func writeCommand(w io.Writer, cmd *cobra.Command) {
	if cmd.Hidden { // what an operator runs may be below it, such as agent reattach
		for _, child := range cmd.Commands() {
			writeCommand(w, child)
		}
		return
	}
	if !cmd.IsAvailableCommand() || cmd.Name() == "completion" || cmd.Name() == "help" {
		return
	}
	fmt.Fprintf(w, "\n## %s\n\n%s.\n\n    %s\n", cmd.CommandPath(), strings.TrimSuffix(cmd.Short, "."), cmd.UseLine())
	if len(cmd.Aliases) > 0 {
		fmt.Fprintf(w, "\nAlso: %s\n", strings.Join(cmd.Aliases, ", "))
	}
	if cmd.Long != "" {
		fmt.Fprintf(w, "\n%s\n", cmd.Long)
	}
	if cmd.HasAvailableLocalFlags() {
		fmt.Fprintln(w)
		writeFlags(w, cmd.NonInheritedFlags())
	}
	if cmd.Example != "" {
		fmt.Fprintf(w, "\nFor example:\n\n%s\n", strings.ReplaceAll("  "+cmd.Example, "\n", "\n  "))
	}
	for _, child := range cmd.Commands() {
		writeCommand(w, child)
	}
}

func writeFlags(w io.Writer, flags *pflag.FlagSet) {
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		name := "--" + f.Name
		if f.Shorthand != "" {
			name = "-" + f.Shorthand + ", " + name
		}
		if what := placeholder(f.Value.Type()); what != "" {
			name += " " + what
		}
		fmt.Fprintf(w, "- `%s`: %s\n", name, f.Usage)
	})
}

// placeholder stands for a flag's value; a switch has none.
func placeholder(kind string) string {
	switch kind {
	case "bool":
		return ""
	case "int", "uint", "uint64":
		return "NUMBER"
	case "duration":
		return "DURATION"
	}
	return "TEXT"
}
