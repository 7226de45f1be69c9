package operate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/gantry-orchestrator/gantry/model"
)

// partitions are those of all topics, Kafka's own too.
func partitions(ctx context.Context, admin *kadm.Client) (all []Partition, m kadm.Metadata, err error) {
	if m, err = admin.Metadata(ctx); err != nil {
		return nil, m, err
	}
	m.Topics.EachPartition(func(p kadm.PartitionDetail) {
		all = append(all, Partition{Topic: p.Topic, Number: p.Partition, Replicas: p.Replicas})
	})
	return all, m, nil
}

// InSync reports whether the broker that is asked serves, and has all that the
// leaders of its partitions have.
func (c Cluster) InSync(ctx context.Context, node int32) (bool, error) {
	inSync := false
	err := c.administer(func(admin *kadm.Client) error {
		m, err := admin.Metadata(ctx)
		if err != nil {
			return err
		}
		inSync = slices.Contains(m.Brokers.NodeIDs(), node)
		m.Topics.EachPartition(func(p kadm.PartitionDetail) {
			if slices.Contains(p.Replicas, node) && !slices.Contains(p.ISR, node) {
				inSync = false
			}
		})
		return nil
	})
	return inSync, err
}

// Held is how many partitions a broker holds, and whether the cluster knows it
// at all.
func (c Cluster) Held(ctx context.Context, node int32) (held int, registered bool, err error) {
	err = c.administer(func(admin *kadm.Client) error {
		all, _, err := partitions(ctx, admin)
		if err != nil {
			return err
		}
		for _, p := range all {
			if slices.Contains(p.Replicas, node) {
				held++
			}
		}
		registered, err = c.registered(ctx, node)
		return err
	})
	return held, registered, err
}

// registered reports whether the cluster knows a broker, stopped ones too.
func (c Cluster) registered(ctx context.Context, node int32) (known bool, err error) {
	request := kmsg.NewPtrDescribeClusterRequest()
	request.IncludeFencedBrokers = true
	client, err := c.connect(c.Brokers)
	if err != nil {
		return false, err
	}
	defer client.Close()
	answer, err := request.RequestWith(ctx, client)
	if err != nil {
		return false, classed(err)
	}
	if err := kerr.ErrorForCode(answer.ErrorCode); err != nil {
		return false, classed(err)
	}
	return slices.ContainsFunc(answer.Brokers, func(b kmsg.DescribeClusterResponseBroker) bool { return b.NodeID == node }), nil
}

// Serves reports whether the broker that is asked counts itself among those
// that serve.
func (c Cluster) Serves(ctx context.Context, node int32) (serves bool, err error) {
	err = c.administer(func(admin *kadm.Client) error {
		m, err := admin.BrokerMetadata(ctx)
		serves = slices.Contains(m.Brokers.NodeIDs(), node)
		return err
	})
	return serves, err
}

// Drain moves all replicas away from a broker, to none that leaves as well,
// and ends when none is left.
func (c Cluster) Drain(ctx context.Context, node int32, leaving ...int32) error {
	return c.reassign(ctx, fmt.Sprintf("node %d still holds replicas", node), func(a *assignment) { a.drain(node, leaving...) })
}

// Replicate gives the topics that Kafka keeps for itself as many replicas, and
// all that say nothing else how many of them a write waits for.
func (c Cluster) Replicate(ctx context.Context, factor, minimum int) error {
	text := fmt.Sprint(minimum)
	err := c.administer(func(admin *kadm.Client) error {
		return until(ctx, minInSync+" is not set", func() (bool, error) {
			answers, err := admin.AlterBrokerConfigs(ctx, []kadm.AlterConfig{{Op: kadm.SetConfig, Name: minInSync, Value: &text}})
			for _, a := range answers {
				err = errors.Join(err, a.Err)
			}
			return err == nil, err
		})
	})
	if err != nil {
		return err
	}
	return c.Raise(ctx, "", factor)
}

// minInSync is how many replicas a write waits for.
const minInSync = "min.insync.replicas"

// Raise gives the partitions of a topic, or of all that Kafka keeps for itself
// where it is "", as many replicas as there are to be.
func (c Cluster) Raise(ctx context.Context, topic string, factor int) error {
	return c.reassign(ctx, "partitions lack replicas", func(a *assignment) {
		a.partitions = slices.DeleteFunc(a.partitions, func(p Partition) bool {
			return p.Topic != topic && (topic != "" || !kept(p.Topic))
		})
		a.raise(factor)
	})
}

// kept reports whether a topic is one that Kafka keeps for itself.
func kept(topic string) bool { return topic == "__consumer_offsets" || topic == "__transaction_state" }

// Level spreads replicas evenly; dry only says which partitions would move.
func (c Cluster) Level(ctx context.Context, dry bool) ([]Partition, error) {
	return c.once(ctx, dry, (*assignment).level)
}

// Emptied begins to move replicas away from a broker; dry only says which
// partitions would move.
func (c Cluster) Emptied(ctx context.Context, node int32, dry bool) ([]Partition, error) {
	return c.once(ctx, dry, func(a *assignment) { a.drain(node) })
}

// once begins what better makes of the assignment, and does not wait for it.
func (c Cluster) once(ctx context.Context, dry bool, better func(*assignment)) (moved []Partition, err error) {
	err = c.administer(func(admin *kadm.Client) error {
		all, m, err := partitions(ctx, admin)
		if err != nil {
			return err
		}
		a := assign(all, m.Brokers.NodeIDs())
		better(a)
		moved = a.changes()
		if dry || len(moved) == 0 {
			return nil
		}
		return move(ctx, admin, moved)
	})
	return moved, err
}

// reassign brings about what better makes of the assignment, until it makes
// nothing of it any more and nothing is on its way.
func (c Cluster) reassign(ctx context.Context, what string, better func(*assignment)) error {
	return c.administer(func(admin *kadm.Client) error {
		return until(ctx, what, func() (bool, error) {
			under, err := admin.ListPartitionReassignments(ctx, nil)
			if err != nil {
				return false, err
			}
			if len(under) > 0 {
				return false, fmt.Errorf("%d topics are on their way: %w", len(under), model.ErrUnavailable)
			}
			all, m, err := partitions(ctx, admin)
			if err != nil {
				return false, err
			}
			a := assign(all, m.Brokers.NodeIDs())
			better(a)
			moved := a.changes()
			if len(moved) == 0 {
				return true, nil
			}
			return false, move(ctx, admin, moved)
		})
	})
}

func move(ctx context.Context, admin *kadm.Client, moved []Partition) error {
	var request kadm.AlterPartitionAssignmentsReq
	for _, p := range moved {
		request.Assign(p.Topic, p.Number, p.Replicas)
	}
	answers, err := admin.AlterPartitionAssignments(ctx, request)
	if err != nil {
		return err
	}
	return answers.Error()
}

// Unregister has the cluster forget a broker that has stopped.
func (c Cluster) Unregister(ctx context.Context, node int32) error {
	client, err := c.connect(c.Brokers)
	if err != nil {
		return err
	}
	defer client.Close()
	return until(ctx, fmt.Sprintf("the cluster still knows broker %d", node), func() (bool, error) {
		known, err := c.registered(ctx, node)
		if err != nil || !known {
			return err == nil, err
		}
		return false, unregister(ctx, client, node)
	})
}

func unregister(ctx context.Context, client *kgo.Client, node int32) error {
	request := kmsg.NewPtrUnregisterBrokerRequest()
	request.BrokerID = node
	answer, err := request.RequestWith(ctx, client)
	if err != nil {
		return err
	}
	err = refused(answer.ErrorCode, answer.ErrorMessage)
	if errors.Is(err, kerr.BrokerIDNotRegistered) {
		return nil
	}
	return err
}

// Elect has partitions led by their preferred leaders, and returns of how many
// the leader changed.
func (c Cluster) Elect(ctx context.Context) (changed int, err error) {
	err = c.administer(func(admin *kadm.Client) error {
		results, err := admin.ElectLeaders(ctx, kadm.ElectPreferredReplica, nil)
		if err != nil {
			return err
		}
		for _, topic := range results {
			for _, p := range topic {
				switch {
				case p.Err == nil:
					changed++
				case !errors.Is(p.Err, kerr.ElectionNotNeeded):
					err = errors.Join(err, fmt.Errorf("%s/%d: %w", p.Topic, p.Partition, p.Err))
				}
			}
		}
		return err
	})
	return changed, err
}

// Caught reports whether a controller has lately had all that the leader had.
func (c Cluster) Caught(ctx context.Context, node int32, d Directory) (bool, error) {
	q, err := c.Quorum(ctx)
	if err != nil {
		return false, err
	}
	r, seen := q.Of(node, d)
	return seen && (r.Node == q.Leader || r.Lag <= closeEnough && time.Since(r.CaughtUp) < 10*time.Second), nil
}
