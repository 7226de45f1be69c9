package topic

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/gantry-orchestrator/gantry/charms/telemetry/internal/archive"
	"github.com/gantry-orchestrator/gantry/model"
)

const (
	// latest asks for the offset that the next record of a partition gets.
	latest = -1
	// askTimeout is how long the brokers may take to answer; some may be away.
	askTimeout = 5 * time.Second
)

// Layout is what a topic is made of. Another topic of the same name, made when
// the first was deleted, has another ID.
type Layout struct {
	ID         archive.TopicID
	Partitions []int32
}

// LayoutOf asks the brokers for a topic's layout.
func LayoutOf(ctx context.Context, client *kgo.Client, topic string) (Layout, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	request := kmsg.NewPtrMetadataRequest()
	one := kmsg.NewMetadataRequestTopic()
	one.Topic = kmsg.StringPtr(topic)
	request.Topics = append(request.Topics, one)
	answer, err := request.RequestWith(ctx, client)
	if err != nil {
		return Layout{}, fmt.Errorf("look for topic %s: %w", topic, err)
	}
	if len(answer.Topics) != 1 {
		return Layout{}, fmt.Errorf("look for topic %s: the brokers answer for %d: %w", topic, len(answer.Topics), model.ErrUnavailable)
	}
	found := answer.Topics[0]
	if err := kerr.ErrorForCode(found.ErrorCode); err != nil {
		return Layout{}, fmt.Errorf("look for topic %s: %w: %w", topic, err, model.ErrUnavailable)
	}
	l := Layout{ID: archive.TopicID(found.TopicID)}
	for _, p := range found.Partitions {
		l.Partitions = append(l.Partitions, p.Partition)
	}
	return l, nil
}

// EndsOf asks the brokers where each partition of a topic ends: what was
// acknowledged before is below.
func EndsOf(ctx context.Context, client *kgo.Client, topic string) (archive.Position, error) {
	layout, err := LayoutOf(ctx, client, topic)
	if err != nil {
		return archive.Position{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	request := kmsg.NewPtrListOffsetsRequest()
	request.ReplicaID = -1
	one := kmsg.NewListOffsetsRequestTopic()
	one.Topic = topic
	for _, p := range layout.Partitions {
		partition := kmsg.NewListOffsetsRequestTopicPartition()
		partition.Partition, partition.Timestamp = p, latest
		one.Partitions = append(one.Partitions, partition)
	}
	request.Topics = append(request.Topics, one)
	answer, err := request.RequestWith(ctx, client)
	if err != nil {
		return archive.Position{}, fmt.Errorf("ask for the end of topic %s: %w", topic, err)
	}
	ends := archive.Position{Topic: layout.ID, Next: map[int32]int64{}}
	for _, t := range answer.Topics {
		for _, p := range t.Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				return archive.Position{}, fmt.Errorf("ask for the end of partition %d of topic %s: %w", p.Partition, topic, err)
			}
			ends.Next[p.Partition] = p.Offset
		}
	}
	if len(ends.Next) != len(layout.Partitions) {
		return archive.Position{}, fmt.Errorf("ask for the end of topic %s: %d of %d partitions answer: %w", topic, len(ends.Next), len(layout.Partitions), model.ErrUnavailable)
	}
	return ends, nil
}
