package cli

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

// span is the time that a command on the past looks at, and how much of it.
type span struct {
	since, until string
	lines        int
}

func (o *span) register(flags *pflag.FlagSet, what string) {
	flags.StringVar(&o.since, "since", "", what+" since a time, or in a duration such as 1h")
	flags.StringVar(&o.until, "until", "", what+" until a time, or until a duration ago")
	flags.IntVarP(&o.lines, "lines", "n", 100, "the newest "+what)
}

// query is the span as it is asked for.
func (o *span) query(s *session, entity string) (q operator.HistoryQuery, err error) {
	q = operator.HistoryQuery{Model: s.model, Entity: entity, Limit: o.lines}
	if o.lines < 1 {
		return q, fmt.Errorf("--lines %d: expected a number above 0: %w", o.lines, model.ErrInvalid)
	}
	if q.Since, err = s.moment("--since", o.since); err != nil {
		return q, err
	}
	if q.Until, err = s.moment("--until", o.until); err != nil {
		return q, err
	}
	if !q.Until.IsZero() && q.Until.Before(q.Since) {
		return q, fmt.Errorf("--until %s is before --since %s: %w", o.until, o.since, model.ErrInvalid)
	}
	return q, nil
}

// moment is a time as an operator says it: RFC 3339, a date with or without a
// time of day in UTC, or a duration ago.
func (sh *shell) moment(flag, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if ago, err := duration(text); err == nil && ago >= 0 {
		return sh.Now().Add(-ago), nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02 15:04:05Z", "2006-01-02 15:04:05", "2006-01-02T15:04:05", "2006-01-02 15:04", "2006-01-02"} {
		if t, err := time.ParseInLocation(layout, text, time.UTC); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%s %q: expected a time such as 2026-03-01T12:00:00Z, or how long ago such as 90m or 2d: %w", flag, text, model.ErrInvalid)
}

// duration is Go's, with days.
func duration(text string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.ParseFloat(days, 64)
		return time.Duration(n * 24 * float64(time.Hour)), err
	}
	return time.ParseDuration(text)
}

func newHistory(sh *shell) *cobra.Command {
	var o span
	cmd := &cobra.Command{
		Use:   "history [UNIT|APPLICATION|MACHINE]",
		Short: "Show what happened to the model, or to one thing in it",
		Long: `Show what happened, oldest first: changes with who made them and why, how
things fared, and operations. Of a whole model changes are what its operators
did; of one thing they are all that touched it.

What the history is missing is said: it is written beside the model, which
never waits for it. docs/history.md says how long what is kept.`,
		Example: "  gantry history postgresql/0 --since 1h",
		Args:    between(0, 1, "an entity"),
		RunE: sh.connected(func(ctx context.Context, s *session, args []string) error {
			q, err := o.query(s, strings.Join(args, ""))
			if err != nil {
				return err
			}
			past, err := s.client.ListHistory(ctx, q)
			if err != nil {
				return err
			}
			return s.answer(past, func(w io.Writer) { writePast(w, s.palette(), past) })
		}),
	}
	o.register(cmd.Flags(), "entries")
	return cmd
}

func writePast(w io.Writer, p palette, past operator.Past) {
	for _, g := range past.Gaps {
		fmt.Fprintln(w, p.yellow(gapText(g)))
	}
	if h := past.Health; h.Trouble != "" {
		fmt.Fprintf(w, "%s\n", p.yellow(fmt.Sprintf("The history lags since %s, %d rows wait: %s", clock(h.Since), h.Waiting, h.Trouble)))
	}
	if len(past.Entries) == 0 {
		fmt.Fprintln(w, "Nothing is recorded.")
		return
	}
	t := &table{}
	t.row("Time", "Revision", "Kind", "Entity", "By", "What")
	for _, e := range past.Entries {
		revision := ""
		if e.Revision > 0 {
			revision = fmt.Sprint(e.Revision)
		}
		text := e.What
		if e.Reason != "" {
			text += " (" + e.Reason + ")"
		}
		t.row(clock(e.Time), revision, e.Kind, e.Entity, e.By, oneLine(text))
	}
	t.write(w)
}

// gapText says what is missing.
func gapText(g operator.Gap) string {
	if g.Last > 0 {
		return fmt.Sprintf("Missing: %s of entries %d to %d of the log, found at %s", g.What, g.First, g.Last, clock(g.Time))
	}
	return fmt.Sprintf("Missing: %d rows of %s, dropped until %s", g.Lost, g.What, clock(g.Time))
}

// oneLine is a text in a table.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
