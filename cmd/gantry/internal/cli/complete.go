package cli

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gantry-orchestrator/gantry/model/operator"
)

// completeTimeout bounds what a shell waits for at a press of Tab.
const completeTimeout = 2 * time.Second

// complete gives a command completion of the names that its usage asks for. A
// controller that does not answer completes nothing.
func (sh *shell) complete(cmd *cobra.Command) {
	var words func(operator.Status) []string
	switch {
	case strings.Contains(cmd.Use, " APPLICATION"), strings.Contains(cmd.Use, " [APPLICATION"):
		words = applicationWords
	case strings.Contains(cmd.Use, " UNIT"):
		words = unitWords
	default:
		return
	}
	cmd.ValidArgsFunction = func(cmd *cobra.Command, _ []string, _ string) (found []string, _ cobra.ShellCompDirective) {
		ctx, cancel := context.WithTimeout(cmd.Context(), completeTimeout)
		defer cancel()
		cmd.SetContext(ctx)
		err := sh.connected(func(ctx context.Context, s *session, _ []string) error {
			status, err := s.client.Status(ctx, s.model)
			found = words(status)
			return err
		})(cmd, nil)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return found, cobra.ShellCompDirectiveNoFileComp
	}
}

// applicationWords and unitWords are what commands about them complete.
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
