// Package archiver takes packets from a topic into the archive, each exactly
// once: where it goes on is what the archive says, which moves with the rows.
package archiver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/gantry-orchestrator/gantry/charms/telemetry/internal/archive"
	"github.com/gantry-orchestrator/gantry/charms/telemetry/internal/topic"
)

// Observer hears what an archiver does.
type Observer interface {
	Archived(packets int)  // so many were committed
	Skipped(records int)   // so many were no packets of ours
	Behind(records int64)  // so many are in the topic and not in the archive
	Holding(archiver bool) // it has the topic on lease, or no longer
}

// Config is what an Archiver needs. Nothing in it may be left out.
type Config struct {
	Holder   string // who holds the topic: one process, one name
	Topic    topic.Target
	Archive  archive.Target
	Timeout  time.Duration // of one exchange with the archive
	Lease    time.Duration // after which another may take the topic over
	Observer Observer
	Log      *slog.Logger
}

const (
	atOnce       = 2000                   // records in one transaction, at most
	firstBackOff = 100 * time.Millisecond // after a failure; it doubles
	lastBackOff  = 2 * time.Second
)

// errStandby says that another archiver has the topic.
var errStandby = errors.New("another archiver has the topic")

// Run archives until ctx ends, and returns nil then.
func Run(ctx context.Context, c Config) error {
	for failures := 0; ctx.Err() == nil; {
		done, err := c.tenure(ctx)
		if done > 0 {
			failures = 0
		}
		wait := min(firstBackOff<<min(failures, 8), lastBackOff)
		if errors.Is(err, errStandby) {
			wait = c.Lease / 3
		} else if failures++; failures == 1 && ctx.Err() == nil {
			c.Log.Warn("archiving is interrupted", "err", err)
		}
		again := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-again.C:
		}
		again.Stop()
	}
	return nil
}

// tenure takes the topic and archives from it until something fails. It returns
// how many batches it committed.
func (c Config) tenure(ctx context.Context) (done int, err error) {
	reader, err := topic.NewReader(c.Topic)
	if err != nil {
		return 0, err
	}
	defer reader.Close()
	layout, err := reader.Layout(ctx)
	if err != nil {
		return 0, err
	}
	intake, err := archive.OpenIntake(ctx, c.Archive, c.Timeout)
	if err != nil {
		return 0, err
	}
	defer intake.Close()
	if err := c.claim(ctx, intake, layout.ID); err != nil {
		return 0, err
	}
	position, err := intake.Position(ctx, layout.ID, layout.Partitions)
	if err != nil {
		return 0, err
	}
	reader.Seek(position)
	c.Observer.Holding(true)
	defer c.Observer.Holding(false)
	c.Log.Info("archiving begins", "topic", c.Topic.Topic, "partitions", len(layout.Partitions))
	t := tenure{Config: c, reader: reader, intake: intake, layout: layout, position: position, ends: map[int32]int64{}}
	err = t.run(ctx)
	return t.done, err
}

func (c Config) claim(ctx context.Context, intake *archive.Intake, id archive.TopicID) error {
	held, err := intake.Claim(ctx, id, c.Holder, c.Lease)
	if err == nil && !held {
		err = errStandby
	}
	return err
}

// tenure is the time for which an archiver holds a topic.
type tenure struct {
	Config
	reader   *topic.Reader
	intake   *archive.Intake
	layout   topic.Layout
	position archive.Position
	ends     map[int32]int64 // of the partitions that were read
	done     int
}

// run ends with the first failure, all of which a new tenure may mend: the
// lease that is lost, an offset that another has moved, a partition more.
func (t *tenure) run(ctx context.Context) error {
	beat := time.NewTicker(t.Lease / 3)
	defer beat.Stop()
	for {
		fetches, err := t.reader.Poll(ctx, t.Lease/3, atOnce)
		if err != nil {
			return err
		}
		if fetches.NumRecords() > 0 {
			if err := t.take(ctx, fetches); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-beat.C:
			if err := t.prolong(ctx); err != nil {
				return err
			}
		default:
		}
	}
}

// prolong keeps the topic for another lease, and looks whether it has grown.
func (t *tenure) prolong(ctx context.Context) error {
	if err := t.claim(ctx, t.intake, t.layout.ID); err != nil {
		return err
	}
	now, err := t.reader.Layout(ctx)
	if err != nil {
		return err
	}
	if now.ID != t.layout.ID || len(now.Partitions) != len(t.layout.Partitions) {
		return fmt.Errorf("topic %s is another than it was, with %d partitions", t.Topic.Topic, len(now.Partitions))
	}
	return nil
}

// take archives what was fetched.
func (t *tenure) take(ctx context.Context, fetches kgo.Fetches) error {
	next := archive.Position{Topic: t.layout.ID, Next: map[int32]int64{}}
	batch := archive.Batch{From: t.position, To: next}
	skipped := 0
	fetches.EachPartition(func(p kgo.FetchTopicPartition) {
		t.ends[p.Partition] = p.HighWatermark
		for _, r := range p.Records {
			next.Next[p.Partition] = r.Offset + 1
			source, packet, err := topic.Decode(r)
			if err != nil {
				skipped++
				t.Log.Warn("a record is no packet and is not archived", "err", err)
				continue
			}
			batch.Packets = append(batch.Packets, archive.Arrival{Packet: packet, Source: source, Partition: p.Partition})
		}
	})
	if err := t.intake.Take(ctx, batch); err != nil {
		return err
	}
	for partition, offset := range next.Next {
		t.position.Next[partition] = offset
	}
	t.done++
	t.Observer.Archived(len(batch.Packets))
	t.Observer.Skipped(skipped)
	t.Observer.Behind(t.behind())
	return nil
}

// behind is how many records are known to be in the topic and not archived.
func (t *tenure) behind() (records int64) {
	for partition, end := range t.ends {
		records += end - t.position.Next[partition]
	}
	return records
}
