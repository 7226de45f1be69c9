package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

type debugLogOptions struct {
	include        []string
	lines          int
	follow, noTail bool
	past           pastLines
}

func newDebugLog(sh *shell) *cobra.Command {
	o := &debugLogOptions{}
	cmd := &cobra.Command{
		Use:   "debug-log",
		Short: "Show what agents and services of the model wrote",
		Long: `Show the newest lines of the model's log. On a terminal new lines follow as
they come, unless --no-tail says otherwise; elsewhere only with --follow.`,
		Example: "  gantry debug-log --include postgresql/0 --lines 50 --no-tail",
		Args:    exactly(),
		RunE:    sh.connected(o.run),
	}
	cmd.Flags().StringSliceVarP(&o.include, "include", "i", nil, "units or machines by name; may be repeated")
	cmd.Flags().IntVarP(&o.lines, "lines", "n", 10, "newest lines to begin with; 0 for all that is kept")
	cmd.Flags().BoolVarP(&o.follow, "follow", "f", false, "go on as lines come")
	cmd.Flags().BoolVar(&o.noTail, "no-tail", false, "stop after the lines that there are")
	cmd.MarkFlagsMutuallyExclusive("follow", "no-tail")
	o.past.register(cmd)
	return cmd
}

func (o *debugLogOptions) run(ctx context.Context, s *session, _ []string) error {
	_, screen := terminal(s.Stdout)
	query := operator.LogQuery{Model: s.model, Lines: o.lines, Follow: o.follow || screen && !o.noTail}
	if o.lines < 0 {
		return fmt.Errorf("--lines %d: expected a number of lines, or 0 for all: %w", o.lines, model.ErrInvalid)
	}
	for _, word := range o.include {
		if err := include(&query, word); err != nil {
			return err
		}
	}
	if o.past.asked() {
		return o.past.run(ctx, s, query)
	}
	p := s.palette()
	err := s.client.DebugLog(ctx, query, func(lines []effect.LogLine) error {
		for _, line := range lines {
			if err := s.logLine(p, line); err != nil {
				return err
			}
		}
		return nil
	})
	if query.Follow && ctx.Err() != nil {
		return nil // an interrupt is the proper end of following
	}
	return err
}

// include adds "postgresql/0", "unit-postgresql-0", "0" or "machine-0" to what
// a query selects.
func include(q *operator.LogQuery, word string) error {
	if tail, ok := strings.CutPrefix(word, "unit-"); ok {
		if i := strings.LastIndex(tail, "-"); i > 0 {
			word = tail[:i] + "/" + tail[i+1:]
		}
	}
	if strings.Contains(word, "/") {
		u, err := model.ParseUnitName(word)
		q.Units = append(q.Units, u)
		return err
	}
	m, err := model.ParseMachineName(strings.TrimPrefix(word, "machine-"))
	if err != nil {
		return fmt.Errorf("--include %q: expected a unit such as postgresql/0 or a machine's number: %w", word, model.ErrInvalid)
	}
	q.Machines = append(q.Machines, m)
	return nil
}

// logLine prints one line of the log; as JSON, one object a line.
func (s *session) logLine(p palette, line effect.LogLine) error {
	switch s.flags.output {
	case "json":
		return json.NewEncoder(s.Stdout).Encode(line)
	case "yaml":
		b, err := encode("yaml", []effect.LogLine{line})
		if err == nil {
			_, err = s.Stdout.Write(b)
		}
		return err
	}
	from := "machine " + line.Machine
	if !line.Unit.IsZero() {
		from = line.Unit.String()
	}
	words := []string{p.faint(clock(line.Time)), p.bold(from), line.Source}
	if line.Level != "" {
		words = append(words, strings.ToUpper(line.Level))
	}
	_, err := fmt.Fprintln(s.Stdout, strings.Join(append(words, line.Text), " "))
	return err
}
