package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gantry-orchestrator/gantry/model"
)

// exactly takes one argument for each name.
func exactly(names ...string) cobra.PositionalArgs { return between(len(names), len(names), names...) }

// atLeast takes one argument for each name, and more of the last.
func atLeast(names ...string) cobra.PositionalArgs { return between(len(names), -1, names...) }

// between takes least to most arguments, any number where most is negative.
// The names are for the error.
func between(least, most int, names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		problem := ""
		switch {
		case len(args) < least:
			problem = "expected " + strings.Join(names[len(args):least], " and ")
		case most >= 0 && len(args) > most:
			problem = fmt.Sprintf("unexpected argument %q", args[most])
		default:
			return nil
		}
		return fmt.Errorf("%s: %s; usage: %s: %w", cmd.CommandPath(), problem, cmd.UseLine(), model.ErrInvalid)
	}
}

// parseAll parses each word.
func parseAll[N any](words []string, parse func(string) (N, error)) ([]N, error) {
	names := make([]N, 0, len(words))
	for _, word := range words {
		name, err := parse(word)
		if err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, nil
}

// assignments splits "key=value" words; the others are returned as rest.
func assignments(words []string) (set map[string]string, rest []string, err error) {
	set = map[string]string{}
	for _, word := range words {
		key, value, ok := strings.Cut(word, "=")
		switch {
		case !ok:
			rest = append(rest, word)
			continue
		case key == "":
			return nil, nil, fmt.Errorf("%q: expected NAME=VALUE: %w", word, model.ErrInvalid)
		}
		if _, twice := set[key]; twice {
			return nil, nil, fmt.Errorf("%s is given twice; keep one: %w", key, model.ErrInvalid)
		}
		set[key] = value
	}
	return set, rest, nil
}
