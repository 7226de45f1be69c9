package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

// pastLines selects lines of the log that only the history has, or by what only
// the history can select by.
type pastLines struct {
	since, until         string
	level, origin, match string
}

// allLines is as many as the history sends at once.
const allLines = 20_000

var lineLevels = []string{"debug", "info", "warn", "error"}

func (o *pastLines) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&o.since, "since", "", "from the history: since a time, or in a duration such as 1h")
	flags.StringVar(&o.until, "until", "", "from the history: until a time, or until a duration ago")
	flags.StringVarP(&o.level, "level", "l", "", "from the history: of this level or more pressing: "+strings.Join(lineLevels, ", "))
	flags.StringVar(&o.origin, "origin", "", "from the history: of a service by its id, or of the controllers (controller)")
	flags.StringVar(&o.match, "match", "", "from the history: with this text")
	for _, flag := range []string{"since", "until", "level", "origin", "match"} {
		cmd.MarkFlagsMutuallyExclusive(flag, "follow")
	}
}

// asked reports whether the lines are the history's to select.
func (o *pastLines) asked() bool { return *o != pastLines{} }

func (o *pastLines) run(ctx context.Context, s *session, live operator.LogQuery) (err error) {
	q := operator.LineQuery{
		Model: live.Model, Units: live.Units, Level: strings.ToLower(o.level), Origin: o.origin, Match: o.match, Limit: live.Lines,
	}
	if q.Level != "" && !slices.Contains(lineLevels, q.Level) {
		return fmt.Errorf("--level %q: expected one of %s%s: %w", o.level, strings.Join(lineLevels, ", "), model.DidYouMean(q.Level, lineLevels), model.ErrInvalid)
	}
	if q.Limit == 0 {
		q.Limit = allLines
	}
	for _, m := range live.Machines {
		q.Machines = append(q.Machines, string(m))
	}
	if q.Since, err = s.moment("--since", o.since); err != nil {
		return err
	}
	if q.Until, err = s.moment("--until", o.until); err != nil {
		return err
	}
	past, err := s.client.ListLines(ctx, q)
	if err != nil {
		return err
	}
	for _, g := range past.Gaps {
		s.note("%s", gapText(g))
	}
	p := s.palette()
	for _, line := range past.Lines {
		if err := s.logLine(p, line); err != nil {
			return err
		}
	}
	return nil
}
