package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

type waitOptions struct {
	revision uint64
	timeout  time.Duration
}

func newWait(sh *shell) *cobra.Command {
	o := &waitOptions{}
	cmd := &cobra.Command{
		Use:   "wait",
		Short: "Wait until the model has converged",
		Long: `Wait until every unit has carried out what the model says.

It ends at once, and fails, where a person must act: a unit is blocked.`,
		Example: "  gantry wait --timeout 10m",
		Args:    exactly(),
		RunE:    sh.connected(o.run),
	}
	cmd.Flags().Uint64Var(&o.revision, "revision", 0, "wait for this revision; 0 for the current one")
	cmd.Flags().DurationVar(&o.timeout, "timeout", 0, "give up after this long, such as 10m; 0 never")
	return cmd
}

func (o *waitOptions) run(ctx context.Context, s *session, _ []string) error {
	return s.converge(ctx, o.revision, o.timeout)
}

// converge waits for a revision to be carried out, 0 for the current one, and
// tells of the progress. It outlives a controller that goes away for a while.
func (s *session) converge(ctx context.Context, revision uint64, timeout time.Duration) error {
	if timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	under := s.begin("waiting for the controller")
	last, err := s.watchProgress(ctx, revision, under)
	elapsed := under.end().Round(100 * time.Millisecond)
	switch {
	case len(last.Blocked) > 0 && !last.Converged:
		return fmt.Errorf("model %s is blocked and a person must act:\n  %s", s.model, strings.Join(last.Blocked, "\n  "))
	case timedOut(ctx, err):
		return fmt.Errorf("model %s has not converged within %s: %s: %w", s.model, timeout, progressText(last), context.DeadlineExceeded)
	case ctx.Err() != nil:
		return fmt.Errorf("interrupted: revision %d is committed and goes on being carried out: %w", max(revision, last.Revision), ctx.Err())
	case err != nil:
		return err
	}
	s.note("converged at revision %d after %s", last.Revision, elapsed)
	return nil
}

// timedOut reports whether a request ended because its time was up. The
// controller, which knows the deadline, may be the first to say so.
func timedOut(ctx context.Context, err error) bool {
	return errors.Is(ctx.Err(), context.DeadlineExceeded) || errors.Is(err, context.DeadlineExceeded)
}

func (s *session) watchProgress(ctx context.Context, revision uint64, under *progress) (last operator.Progress, err error) {
	for {
		err = s.client.Wait(ctx, s.model, revision, func(p operator.Progress) error {
			last = p
			under.tell(progressText(p))
			return nil
		})
		if last.Index == 0 || !errors.Is(err, model.ErrUnavailable) {
			return last, err
		}
		under.tell("the controller does not answer; trying again")
		select {
		case <-ctx.Done():
			return last, err
		case <-time.After(retryEvery):
		}
	}
}

// progressText says in one line what is done, and what is waited for.
func progressText(p operator.Progress) string {
	var parts []string
	if len(p.Doing) > 0 {
		parts = append(parts, strings.Join(p.Doing, ", "))
	}
	if len(p.Waiting) > 0 {
		parts = append(parts, "waiting for "+strings.Join(p.Waiting, "; "))
	}
	switch {
	case p.Converged:
		return "converged"
	case len(p.Blocked) > 0:
		return "blocked: " + strings.Join(p.Blocked, "; ")
	case len(parts) == 0:
		return "settling"
	}
	return strings.Join(parts, " · ")
}
