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
		return fmt.Errorf("%w after %s: model %s has not converged; it waits for\n  %s", errTimedOut, timeout, s.model,
			strings.Join(append(last.Waiting, last.Blocked...), "\n  "))
	case ctx.Err() != nil:
		return fmt.Errorf("%w: revision %d is committed and goes on being carried out", errInterrupted, max(revision, last.Revision))
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
			under.tellOf(progressLine(p))
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

// waitShown is of how many units a line of progress says what they wait for.
const waitShown = 2

// progressLine says in one line what is waited for, those at work first. Its
// gist is who is waited for, whatever they are at.
func progressLine(p operator.Progress) (gist, text string) {
	switch {
	case p.Converged:
		return "converged", "converged"
	case len(p.Blocked) > 0:
		text = "blocked: " + strings.Join(p.Blocked, "; ")
		return text, text
	case len(p.Waiting) == 0:
		return "settling", "settling"
	}
	working := map[string]bool{}
	for _, line := range p.Doing {
		subject, _, _ := strings.Cut(line, ": ")
		working[subject] = true
	}
	var first, rest, subjects []string
	for _, line := range p.Waiting {
		subject, _, _ := strings.Cut(line, ": ")
		subjects = append(subjects, subject)
		if working[subject] {
			first = append(first, line)
		} else {
			rest = append(rest, line)
		}
	}
	shown := append(first, rest...)
	more := len(shown) - waitShown
	text = "waiting for " + strings.Join(shown[:min(waitShown, len(shown))], "; ")
	if more > 0 {
		text += fmt.Sprintf("; and %d more", more)
	}
	return strings.Join(subjects, " "), text
}
