package cli

import (
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

type queryOptions struct {
	all bool
	csv bool
}

func newQuery(sh *shell) *cobra.Command {
	o := &queryOptions{}
	cmd := &cobra.Command{
		Use:   "query SELECT",
		Short: "Ask the history in SQL",
		Long: `Ask the history in SQL (SQLite's). One SELECT reads the views events,
status_log, operations, log, audit and gaps, which docs/history.md describes, in
a copy that has the rows of the model and nothing else. It needs admin access to
the model, or with --all, for every model, an administrator of the controller.`,
		Example: `  gantry query "SELECT author, count(*) FROM events GROUP BY author"`,
		Args:    exactly("a SELECT, in quotes"),
		RunE:    sh.connected(o.run),
	}
	cmd.Flags().BoolVar(&o.all, "all", false, "rows of every model and of the controller")
	cmd.Flags().BoolVar(&o.csv, "csv", false, "print comma-separated values")
	return cmd
}

func (o *queryOptions) run(ctx context.Context, s *session, args []string) error {
	statement := operator.Statement{Model: s.model, SQL: args[0]}
	if o.all {
		statement.Model = ""
	}
	set, err := s.client.Query(ctx, statement)
	if err != nil {
		return err
	}
	if o.csv {
		w := csv.NewWriter(s.Stdout)
		_ = w.Write(set.Columns) // Error tells
		for _, row := range set.Rows {
			_ = w.Write(textRow(row))
		}
		w.Flush()
		return w.Error()
	}
	return s.answer(set, func(w io.Writer) {
		t := &table{}
		t.row(set.Columns...)
		for _, row := range set.Rows {
			cells := textRow(row)
			for i := range cells {
				cells[i] = oneLine(cells[i])
			}
			t.row(cells...)
		}
		t.write(w)
		for _, note := range set.Notes {
			fmt.Fprintln(s.Stderr, "note:", note)
		}
	})
}

// textRow is a row as a person reads it; NULL is empty.
func textRow(row []any) []string {
	cells := make([]string, len(row))
	for i, v := range row {
		switch v := v.(type) {
		case nil:
		case float64:
			cells[i] = strings.TrimSuffix(fmt.Sprintf("%f", v), ".000000")
		default:
			cells[i] = fmt.Sprint(v)
		}
	}
	return cells
}

func newRetention(sh *shell) *cobra.Command {
	var events, status, lines, audit string
	var size int
	cmd := &cobra.Command{
		Use:   "retention",
		Short: "Show or set how long and how much history is kept",
		Long: `Show how long and how much history is kept; with flags, set it for the whole
controller. Over its size the history lets go of the oldest lines first, then of
how things fared, and of events last.`,
		Example: "  gantry retention --keep-lines 3d --size 512",
		Args:    exactly(),
		RunE: sh.connected(func(ctx context.Context, s *session, _ []string) error {
			r := operator.Retention{SizeMiB: size}
			for flag, d := range map[string]struct {
				text string
				into *time.Duration
			}{"events": {events, &r.Events}, "status": {status, &r.Status}, "lines": {lines, &r.Lines}, "audit": {audit, &r.Audit}} {
				if d.text == "" {
					continue
				}
				var err error
				if *d.into, err = duration(d.text); err != nil || *d.into <= 0 {
					return fmt.Errorf("--keep-%s %q: expected a duration such as 36h or 7d: %w", flag, d.text, model.ErrInvalid)
				}
			}
			ask := s.client.ShowRetention
			if r != (operator.Retention{}) {
				ask = func(ctx context.Context) (operator.Retention, error) { return s.client.SetRetention(ctx, r) }
			}
			kept, err := ask(ctx)
			if err != nil {
				return err
			}
			return s.answer(kept, func(w io.Writer) { writeRetention(w, kept) })
		}),
	}
	cmd.Flags().StringVar(&events, "keep-events", "", "age of events and operations, such as 90d")
	cmd.Flags().StringVar(&status, "keep-status", "", "age of statuses, and how far back status --at goes")
	cmd.Flags().StringVar(&lines, "keep-lines", "", "age of what agents and services wrote")
	cmd.Flags().StringVar(&audit, "keep-audit", "", "age of the view audit")
	cmd.Flags().IntVar(&size, "size", 0, "MiB that the whole history may take")
	return cmd
}

func writeRetention(w io.Writer, r operator.Retention) {
	t := &table{}
	t.row("Kept", "For")
	for _, k := range []struct {
		what string
		age  time.Duration
	}{{"events", r.Events}, {"status", r.Status}, {"lines", r.Lines}, {"audit", r.Audit}} {
		t.row(k.what, strings.TrimSuffix(fmt.Sprintf("%.1f", k.age.Hours()/24), ".0")+" days")
	}
	t.row("in all", fmt.Sprintf("%d MiB", r.SizeMiB))
	t.write(w)
}
