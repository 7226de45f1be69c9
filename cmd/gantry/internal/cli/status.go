package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

type statusOptions struct {
	relations bool
	watch     bool
	at        string
}

func newStatus(sh *shell) *cobra.Command {
	o := &statusOptions{}
	cmd := &cobra.Command{
		Use:   "status [APPLICATION...]",
		Short: "Show how the model fares",
		Long: `Show applications, their units and the machines below them. A * marks the
leader of an application. docs/status-schema.md describes -o json and -o yaml.`,
		Example: "  gantry status --watch",
		RunE:    sh.connected(o.run),
	}
	cmd.Flags().BoolVar(&o.relations, "relations", false, "show relations too")
	cmd.Flags().StringVar(&o.at, "at", "", "show it as it was at a time, so long ago (90m, 2d), or at a revision's end")
	cmd.Flags().BoolVar(&o.watch, "watch", false, "show it again at every change, until interrupted")
	cmd.MarkFlagsMutuallyExclusive("at", "watch")
	return cmd
}

func (o *statusOptions) run(ctx context.Context, s *session, args []string) error {
	only, err := parseAll(args, model.ParseApplicationName)
	if err != nil {
		return err
	}
	if o.watch {
		return o.follow(ctx, s, only)
	}
	status, err := o.status(ctx, s)
	if err != nil {
		return err
	}
	if err := present(status, only); err != nil {
		return err
	}
	return o.show(s, status, only)
}

// status is the model's now, or as the history has it: a number is a revision,
// anything else a time.
func (o *statusOptions) status(ctx context.Context, s *session) (operator.Status, error) {
	if o.at == "" {
		return s.client.Status(ctx, s.model)
	}
	var at operator.Moment
	var err error
	if at.Revision, err = strconv.ParseUint(o.at, 10, 64); err != nil || at.Revision == 0 {
		if at.Time, err = s.moment("--at", o.at); err != nil {
			return operator.Status{}, err
		}
	}
	past, err := s.client.StatusAt(ctx, s.model, at)
	if err == nil {
		s.note("as recorded at %s", clock(past.Recorded))
	}
	return past.Status, err
}

func (o *statusOptions) show(s *session, status operator.Status, only []model.ApplicationName) error {
	status = selected(status, only)
	return s.answer(status, func(w io.Writer) { writeStatus(w, s.palette(), status, o.relations) })
}

// follow shows the status until it is interrupted, which is its proper end.
func (o *statusOptions) follow(ctx context.Context, s *session, only []model.ApplicationName) error {
	_, screen := terminal(s.Stdout)
	var after uint64
	for ctx.Err() == nil {
		err := s.client.WatchStatus(ctx, s.model, after, func(status operator.Status) error {
			if screen && s.flags.output == "text" {
				fmt.Fprint(s.Stdout, "\x1b[H\x1b[2J")
			} else if after > 0 && s.flags.output != "json" {
				fmt.Fprintln(s.Stdout, "---")
			}
			after = status.Model.Index
			return o.show(s, status, only)
		})
		if ctx.Err() == nil && (after == 0 || !errors.Is(err, model.ErrUnavailable)) {
			return err
		}
		select {
		case <-ctx.Done():
		case <-time.After(retryEvery):
		}
	}
	return nil
}

// present refuses applications that the model does not have.
func present(status operator.Status, names []model.ApplicationName) error {
	var known []string
	there := map[model.ApplicationName]bool{}
	for _, a := range status.Applications {
		known, there[a.Name] = append(known, string(a.Name)), true
	}
	for _, name := range names {
		if !there[name] {
			return fmt.Errorf("application %s in model %s%s: %w", name, status.Model.Name, model.DidYouMean(string(name), known), model.ErrNotFound)
		}
	}
	return nil
}
