package cli

import (
	"context"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

// completeTimeout bounds what a shell waits for at a press of Tab.
const completeTimeout = 2 * time.Second

// source finds the words that can stand at a place of a command line, given
// the arguments before it.
type source func(context.Context, *session, []string) ([]string, error)

// sources are by the noun that a command's usage, or the name that a flag, has
// for the place.
var sources = map[string]source{
	"APPLICATION": ofStatus(applicationWords),
	"UNIT":        ofStatus(unitWords),
	"MACHINE":     ofStatus(machineWords),
	"MODEL":       modelWords,
	"OPERATION":   operationWords,
	"ACTION":      actionWords,
	"ORDER":       actionWords,
	"OPTION":      optionWords,
	"CHARM":       charmWords,
}

// flagSources are the nouns of flags.
var flagSources = map[string]string{"unit": "UNIT", "application": "APPLICATION", "machine": "MACHINE", "model": "MODEL", "include": "UNIT"}

// complete gives a command, and those below it, completion of the names that
// its usage and its flags ask for. A controller that does not answer completes
// nothing.
func (sh *shell) complete(cmd *cobra.Command) {
	for _, below := range cmd.Commands() {
		sh.complete(below)
	}
	for flag, noun := range flagSources {
		if cmd.Flags().Lookup(flag) != nil {
			_ = cmd.RegisterFlagCompletionFunc(flag, sh.completion(func([]string) []string { return []string{noun} })) // the flag is there
		}
	}
	if usage := strings.Fields(strings.ReplaceAll(cmd.Use, " | ", "|"))[1:]; len(usage) > 0 && !strings.HasPrefix(usage[0], "(") && cmd.Name() != "add-model" {
		cmd.ValidArgsFunction = sh.completion(func(args []string) []string { return nounsAt(usage, len(args)) })
	}
}

// nounsAt are the nouns that can stand at a place of a usage such as
// "UNIT... ACTION [PARAMETER=VALUE...]": what repeats can stand wherever it has
// begun, and so can what follows it.
func nounsAt(usage []string, place int) (nouns []string) {
	for i, word := range usage {
		repeats := strings.Contains(word, "...")
		if i != place && !(i < place && repeats) {
			continue
		}
		nouns = append(nouns, nounsOf(word)...)
		if i < place && i+1 < len(usage) {
			nouns = append(nouns, nounsOf(usage[i+1])...)
		}
		break
	}
	return nouns
}

// nounsOf are the nouns of a word such as "[APPLICATION...]", "CHARM|BUNDLE" or
// "APPLICATION[:ENDPOINT]".
func nounsOf(word string) []string {
	return strings.FieldsFunc(word, func(r rune) bool { return !unicode.IsUpper(r) })
}

func (sh *shell) completion(nouns func(args []string) []string) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) (found []cobra.Completion, rest cobra.ShellCompDirective) {
		ctx, cancel := context.WithTimeout(cmd.Context(), completeTimeout)
		defer cancel()
		cmd.SetContext(ctx)
		rest = cobra.ShellCompDirectiveDefault // files, where the place has no names of ours
		_ = sh.connected(func(ctx context.Context, s *session, _ []string) error {
			for _, noun := range nouns(args) {
				words, known := sources[noun]
				if !known {
					continue
				}
				more, err := words(ctx, s, args)
				if err != nil {
					return err
				}
				found = append(found, more...)
				if noun != "CHARM" { // which may be a directory's
					rest = cobra.ShellCompDirectiveNoFileComp
				}
			}
			return nil
		})(cmd, nil) // there is nobody to tell an error to
		return found, rest
	}
}

func ofStatus(words func(operator.Status) []string) source {
	return func(ctx context.Context, s *session, _ []string) ([]string, error) {
		status, err := s.client.Status(ctx, s.model)
		return words(status), err
	}
}

func applicationWords(s operator.Status) (words []string) {
	for _, a := range s.Applications {
		words = append(words, string(a.Name))
	}
	return words
}

func unitWords(s operator.Status) (words []string) {
	for _, a := range s.Applications {
		for _, u := range a.Units {
			words = append(words, u.Name.String())
		}
	}
	return words
}

func machineWords(s operator.Status) (words []string) {
	for _, m := range s.Machines {
		words = append(words, string(m.Name))
	}
	return words
}

func modelWords(ctx context.Context, s *session, _ []string) (words []string, _ error) {
	list, err := s.client.ListModels(ctx)
	for _, m := range list {
		words = append(words, string(m.Name))
	}
	return words, err
}

func operationWords(ctx context.Context, s *session, _ []string) (words []string, _ error) {
	list, err := s.client.ListOperations(ctx, s.model)
	for _, o := range list {
		words = append(words, o.ID)
	}
	return words, err
}

func charmWords(ctx context.Context, s *session, _ []string) (words []string, _ error) {
	list, err := s.client.ListCharms(ctx)
	for _, c := range list {
		words = append(words, string(c.Name))
	}
	return words, err
}

// actionWords are the actions, orders among them, of the application that the
// first argument is of.
func actionWords(ctx context.Context, s *session, args []string) (words []string, _ error) {
	detail, err := s.firstApplication(ctx, args)
	for _, a := range detail.Actions {
		words = append(words, a.Name)
	}
	return words, err
}

func optionWords(ctx context.Context, s *session, args []string) (words []string, _ error) {
	detail, err := s.firstApplication(ctx, args)
	for _, o := range detail.Config {
		words = append(words, o.Name)
	}
	return words, err
}

func (s *session) firstApplication(ctx context.Context, args []string) (operator.ApplicationDetail, error) {
	if len(args) == 0 {
		return operator.ApplicationDetail{}, model.ErrInvalid
	}
	name, err := targetApplication(args[0])
	if err != nil {
		return operator.ApplicationDetail{}, err
	}
	return s.client.ShowApplication(ctx, s.model, name)
}
