package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

// How long a change is tried, and how long its answer is waited for after an
// interrupt.
const (
	commitTimeout = 15 * time.Second
	commitGrace   = 5 * time.Second
	retryEvery    = 250 * time.Millisecond
)

// errUnknownOutcome is of a change that may be committed or not.
var errUnknownOutcome = errors.New("it is not known whether the change was committed")

// changeOptions are the flags of every command that changes a model.
type changeOptions struct {
	reason  string
	wait    bool
	timeout time.Duration
}

func (o *changeOptions) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.reason, "reason", "", "why, kept with the change")
	cmd.Flags().BoolVar(&o.wait, "wait", false, "wait until the model has converged")
	cmd.Flags().DurationVar(&o.timeout, "timeout", 0, "with --wait, give up after this long, such as 10m")
}

// change is the change to send, with a key that makes it safe to send again.
func (o *changeOptions) change() operator.Change {
	return operator.Change{Key: uuid.NewString(), Reason: o.reason}
}

// commit makes a change. It is tried again while no controller answers, which
// its key makes safe. An interrupt does not tear it: commit waits a moment for
// the answer and tells what became of it.
func commit[A any](ctx context.Context, s *session, what string, send func(context.Context) (A, error)) (A, error) {
	sending, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitTimeout)
	defer cancel()
	unhook := context.AfterFunc(ctx, func() { time.AfterFunc(commitGrace, cancel) })
	defer unhook()
	under := s.begin(what)
	answer, err := persist(ctx, sending, send)
	under.end()
	switch {
	case ctx.Err() == nil:
		return answer, err
	case err == nil:
		return answer, fmt.Errorf("%w: %s: the change is committed%s", endedBy(ctx), what, revisionOf(answer))
	case errors.Is(err, model.ErrUnavailable), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return answer, fmt.Errorf("interrupted: %s: %w", what, errUnknownOutcome)
	default:
		return answer, fmt.Errorf("interrupted; the change was not committed: %w", err)
	}
}

// revisionOf is the revision of an answer that has one, for a message.
func revisionOf(answer any) string {
	at := operator.Committed{}
	switch a := answer.(type) {
	case operator.Committed:
		at = a
	case operator.Applied:
		at = a.Committed
	case operator.UnitsAdded:
		at = a.Committed
	case operator.MachineAdded:
		at = a.Committed
	case operator.Integrated:
		at = a.Committed
	case operator.OrderStarted:
		at = a.Committed
	}
	if at.Revision == 0 {
		return ""
	}
	return fmt.Sprintf(" as revision %d", at.Revision)
}

// persist sends until a controller answers. Where the time ends in the midst of
// a try, it says what the tries before were told.
func persist[A any](interrupt, ctx context.Context, send func(context.Context) (A, error)) (A, error) {
	var told error
	for {
		answer, err := send(ctx)
		switch {
		case errors.Is(err, context.DeadlineExceeded) && ctx.Err() != nil && told == nil:
			return answer, fmt.Errorf("no answer: %w: %w", errUnknownOutcome, err)
		case errors.Is(err, context.DeadlineExceeded) && ctx.Err() != nil:
			return answer, fmt.Errorf("no answer to the last of several tries: %w: %w; before that: %w", errUnknownOutcome, err, told)
		case !errors.Is(err, model.ErrUnavailable):
			return answer, err
		}
		told = err
		select {
		case <-ctx.Done():
			return answer, err
		case <-interrupt.Done():
			return answer, err
		case <-time.After(retryEvery):
		}
	}
}

// conclude confirms a committed change in one line and waits for it where
// --wait asks so; with -o it prints the answer instead.
func (s *session) conclude(ctx context.Context, o changeOptions, at operator.Committed, answer any, format string, args ...any) error {
	err := s.answer(answer, func(w io.Writer) {
		if !s.flags.quiet {
			fmt.Fprintf(w, format+" (revision %d)\n", append(args, at.Revision)...)
		}
	})
	if err != nil || !o.wait {
		return err
	}
	return s.converge(ctx, at.Revision, o.timeout)
}
