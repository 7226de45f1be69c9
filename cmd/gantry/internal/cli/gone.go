package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

// gone confirms that a model is being destroyed and, with --wait, waits until
// it is no more.
func (s *session) gone(ctx context.Context, name model.ModelName, o *removal, done operator.Committed) error {
	err := s.answer(done, func(w io.Writer) { fmt.Fprintf(w, "destroying model %s (revision %d)\n", name, done.Revision) })
	if err != nil || !o.wait {
		return err
	}
	if o.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, o.timeout)
		defer cancel()
	}
	under := s.begin("destroying model " + string(name))
	held, err := s.awaitGone(ctx, name, under)
	elapsed := under.end().Round(100 * time.Millisecond)
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%w after %s: model %s is not gone; it waits for\n  %s", errTimedOut, o.timeout, name, strings.Join(held, "\n  "))
	}
	if ctx.Err() != nil {
		return fmt.Errorf("%w: revision %d is committed, and model %s goes on being destroyed", errInterrupted, done.Revision, name)
	}
	if err != nil {
		return err
	}
	s.note("model %s is gone after %s", name, elapsed)
	return nil
}

// awaitGone returns what holds the model at the end, where it is not gone.
func (s *session) awaitGone(ctx context.Context, name model.ModelName, under *progress) (held []string, err error) {
	var after uint64
	for {
		err := s.client.WatchStatus(ctx, name, after, func(status operator.Status) error {
			after = status.Model.Index
			held = append(status.Model.Blocked, status.Model.Waiting...)
			under.tell(fmt.Sprintf("destroying model %s: %s and %s are left", name,
				counted(len(status.Applications), "application"), counted(len(status.Machines), "machine")))
			return nil
		})
		switch {
		case errors.Is(err, model.ErrNotFound):
			return nil, nil
		case timedOut(ctx, err):
			return held, context.DeadlineExceeded
		case ctx.Err() != nil:
			return held, ctx.Err()
		case err != nil && !errors.Is(err, model.ErrUnavailable):
			return held, err
		}
		select {
		case <-ctx.Done():
			return held, ctx.Err()
		case <-time.After(retryEvery):
		}
	}
}
