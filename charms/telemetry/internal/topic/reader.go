package topic

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/gantry-orchestrator/gantry/charms/telemetry/internal/archive"
	"github.com/gantry-orchestrator/gantry/model"
)

// Reader reads a topic from a given position on. It belongs to no group: where
// it goes on is its user's to keep.
type Reader struct {
	topic  string
	client *kgo.Client
}

// fetchWait is how long a broker that has nothing waits for something.
const fetchWait = time.Second

// NewReader returns a reader of target.
func NewReader(target Target) (*Reader, error) {
	var fixed atomic.Pointer[Target]
	fixed.Store(&target)
	client, err := connect(&fixed,
		kgo.FetchMaxWait(fetchWait),
		// What a position names must be there: to begin elsewhere instead
		// would lose packets, or take them twice.
		kgo.ConsumeResetOffset(kgo.NoResetOffset()))
	if err != nil {
		return nil, err
	}
	return &Reader{topic: target.Topic, client: client}, nil
}

// Close ends the reader.
func (r *Reader) Close() { r.client.Close() }

// Layout asks for the topic's layout.
func (r *Reader) Layout(ctx context.Context) (Layout, error) { return LayoutOf(ctx, r.client, r.topic) }

// Ends asks where the topic ends.
func (r *Reader) Ends(ctx context.Context) (archive.Position, error) {
	return EndsOf(ctx, r.client, r.topic)
}

// Seek begins to read at position.
func (r *Reader) Seek(position archive.Position) {
	from := map[int32]kgo.Offset{}
	for partition, next := range position.Next {
		from[partition] = kgo.NewOffset().At(next)
	}
	r.client.AddConsumePartitions(map[string]map[int32]kgo.Offset{r.topic: from})
}

// Poll returns records as soon as there are some, at most so many, or none when
// the wait is over.
func (r *Reader) Poll(ctx context.Context, wait time.Duration, most int) (kgo.Fetches, error) {
	waiting, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	fetches := r.client.PollRecords(waiting, most)
	var errs []error
	fetches.EachError(func(_ string, partition int32, err error) {
		if !errors.Is(err, context.DeadlineExceeded) || waiting.Err() == nil {
			errs = append(errs, fmt.Errorf("partition %d: %w", partition, err))
		}
	})
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("read topic %s: %w: %w", r.topic, err, model.ErrUnavailable)
	}
	return fetches, nil
}
