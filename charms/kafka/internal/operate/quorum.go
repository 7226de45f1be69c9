package operate

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/gantry-orchestrator/gantry/model"
)

// Directory identifies the metadata of one controller: a node whose data was
// lost comes back with another.
type Directory [16]byte

// ParseDirectory reads a directory's ID as Kafka writes it.
func ParseDirectory(text string) (Directory, error) {
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(b) != len(Directory{}) {
		return Directory{}, fmt.Errorf("directory ID %q: expected 16 bytes in base64: %w", text, model.ErrInvalid)
	}
	return Directory(b), nil
}

// String is the ID as Kafka writes it.
func (d Directory) String() string { return base64.RawURLEncoding.EncodeToString(d[:]) }

// DirectoryAt reads the ID in a formatted directory.
func DirectoryAt(dir string) (Directory, error) {
	const file, key = "/meta.properties", "directory.id="
	b, err := os.ReadFile(dir + file)
	if err != nil {
		return Directory{}, fmt.Errorf("the node has yet to be formatted: %w: %w", err, model.ErrUnavailable)
	}
	for scanner := bufio.NewScanner(bytes.NewReader(b)); scanner.Scan(); {
		if id, found := strings.CutPrefix(scanner.Text(), key); found {
			return ParseDirectory(id)
		}
	}
	return Directory{}, fmt.Errorf("%s%s names no %s: %w", dir, file, strings.TrimSuffix(key, "="), model.ErrInvalid)
}

// Replica is one node's copy of the metadata.
type Replica struct {
	Node      int32
	Directory Directory
	Lag       int64 // records behind the leader
	Voter     bool
	CaughtUp  time.Time // when it last had all that the leader had
}

// Quorum are the controllers as their leader sees them.
type Quorum struct {
	Leader   int32
	Epoch    int32
	Replicas []Replica // voters, then observers, by node
}

// Voters are the nodes that vote.
func (q Quorum) Voters() []Replica {
	return slices.DeleteFunc(slices.Clone(q.Replicas), func(r Replica) bool { return !r.Voter })
}

// Of is a node's replica of that directory.
func (q Quorum) Of(node int32, d Directory) (Replica, bool) {
	i := slices.IndexFunc(q.Replicas, func(r Replica) bool { return r.Node == node && r.Directory == d })
	if i < 0 {
		return Replica{}, false
	}
	return q.Replicas[i], true
}

// Voter is the node's replica that votes.
func (q Quorum) Voter(node int32) (Replica, bool) {
	i := slices.IndexFunc(q.Replicas, func(r Replica) bool { return r.Node == node && r.Voter })
	if i < 0 {
		return Replica{}, false
	}
	return q.Replicas[i], true
}

// metadataTopic holds what the controllers agree on.
const metadataTopic = "__cluster_metadata"

// Quorum asks the controllers until their leader answers.
func (c Cluster) Quorum(ctx context.Context) (Quorum, error) {
	request := kmsg.NewPtrDescribeQuorumRequest()
	topic := kmsg.NewDescribeQuorumRequestTopic()
	topic.Topic, topic.Partitions = metadataTopic, []kmsg.DescribeQuorumRequestTopicPartition{kmsg.NewDescribeQuorumRequestTopicPartition()}
	request.Topics = append(request.Topics, topic)
	var q Quorum
	err := c.lead(ctx, request, func(response kmsg.Response) error {
		answer := response.(*kmsg.DescribeQuorumResponse)
		if err := kerr.ErrorForCode(answer.ErrorCode); err != nil {
			return err
		}
		if len(answer.Topics) != 1 || len(answer.Topics[0].Partitions) != 1 {
			return fmt.Errorf("the quorum is described by %d topics: %w", len(answer.Topics), model.ErrUnavailable)
		}
		p := answer.Topics[0].Partitions[0]
		if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
			return err
		}
		q = quorumOf(p)
		return nil
	})
	return q, err
}

func quorumOf(p kmsg.DescribeQuorumResponseTopicPartition) Quorum {
	q := Quorum{Leader: p.LeaderID, Epoch: p.LeaderEpoch}
	end := int64(0)
	for _, r := range p.CurrentVoters {
		if r.ReplicaID == p.LeaderID {
			end = r.LogEndOffset
		}
	}
	add := func(all []kmsg.DescribeQuorumResponseTopicPartitionReplicaState, voter bool) {
		for _, r := range all {
			q.Replicas = append(q.Replicas, Replica{
				Node: r.ReplicaID, Directory: r.ReplicaDirectoryID, Lag: max(end-r.LogEndOffset, 0), Voter: voter,
				CaughtUp: time.UnixMilli(r.LastCaughtUpTimestamp),
			})
		}
	}
	slices.SortFunc(p.CurrentVoters, byReplica)
	slices.SortFunc(p.Observers, byReplica)
	add(p.CurrentVoters, true)
	add(p.Observers, false)
	return q
}

func byReplica(a, b kmsg.DescribeQuorumResponseTopicPartitionReplicaState) int {
	return int(a.ReplicaID) - int(b.ReplicaID)
}

// lead puts a request to the controller that leads. Any other refuses it, so
// that all are asked in turn.
func (c Cluster) lead(ctx context.Context, request kmsg.Request, take func(kmsg.Response) error) error {
	client, err := c.connect(c.Controllers)
	if err != nil {
		return err
	}
	defer client.Close()
	var failed error
	for _, controller := range client.SeedBrokers() {
		err := ask(ctx, controller, request, take)
		if err == nil {
			return nil
		}
		if !elsewhere(err) {
			return err
		}
		failed = errors.Join(failed, err)
	}
	return fmt.Errorf("no controller leads: %w: %w", failed, model.ErrUnavailable)
}

func ask(ctx context.Context, controller *kgo.Broker, request kmsg.Request, take func(kmsg.Response) error) error {
	bounded, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	response, err := controller.Request(bounded, request)
	if err != nil {
		return fmt.Errorf("%w: %w", err, model.ErrUnavailable)
	}
	return take(response)
}

// elsewhere reports whether another controller may answer what this one did
// not.
func elsewhere(err error) bool {
	return errors.Is(err, kerr.NotLeaderForPartition) || errors.Is(err, kerr.NotController) ||
		errors.Is(err, model.ErrUnavailable) || errors.Is(err, kerr.FencedLeaderEpoch)
}

// closeEnough is how far behind an observer may be when it is made a voter.
const closeEnough = 100

// AddVoter makes a voter of an observer once it has caught up. A voter of that
// node with another directory, whose data is lost, is removed first.
func (c Cluster) AddVoter(ctx context.Context, cluster string, node int32, d Directory, listener string) error {
	host, text, err := net.SplitHostPort(listener)
	if err != nil {
		return fmt.Errorf("listener %q: %w: %w", listener, err, model.ErrInvalid)
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return fmt.Errorf("listener %q: %w: %w", listener, err, model.ErrInvalid)
	}
	request := kmsg.NewPtrAddRaftVoterRequest()
	request.ClusterID, request.VoterID, request.VoterDirectoryID = &cluster, node, d
	request.Listeners = []kmsg.AddRaftVoterRequestListener{{Name: "CONTROLLER", Host: host, Port: uint16(port)}}
	return until(ctx, fmt.Sprintf("node %d does not vote yet", node), func() (bool, error) {
		q, err := c.Quorum(ctx)
		if err != nil {
			return false, err
		}
		if old, votes := q.Voter(node); votes && old.Directory == d {
			return true, nil
		} else if votes {
			return false, c.removeVoter(ctx, cluster, old)
		}
		if r, seen := q.Of(node, d); !seen || r.Lag > closeEnough {
			return false, fmt.Errorf("it has not caught up: %w", model.ErrUnavailable)
		}
		return false, c.lead(ctx, request, func(response kmsg.Response) error {
			answer := response.(*kmsg.AddRaftVoterResponse)
			return refused(answer.ErrorCode, answer.ErrorMessage)
		})
	})
}

// RemoveVoter takes a node out of the quorum. Who does not vote is removed.
func (c Cluster) RemoveVoter(ctx context.Context, cluster string, node int32) error {
	return until(ctx, fmt.Sprintf("node %d still votes", node), func() (bool, error) {
		q, err := c.Quorum(ctx)
		if err != nil {
			return false, err
		}
		old, votes := q.Voter(node)
		if !votes {
			return true, nil
		}
		if len(q.Voters()) == 1 {
			return false, fmt.Errorf("node %d is the last voter: %w", node, model.ErrConflict)
		}
		return false, c.removeVoter(ctx, cluster, old)
	})
}

func (c Cluster) removeVoter(ctx context.Context, cluster string, r Replica) error {
	request := kmsg.NewPtrRemoveRaftVoterRequest()
	request.ClusterID, request.VoterID, request.VoterDirectoryID = &cluster, r.Node, r.Directory
	return c.lead(ctx, request, func(response kmsg.Response) error {
		answer := response.(*kmsg.RemoveRaftVoterResponse)
		return refused(answer.ErrorCode, answer.ErrorMessage)
	})
}

// refused is what a code of Kafka's says, with its message.
func refused(code int16, message *string) error {
	err := kerr.ErrorForCode(code)
	if err == nil || message == nil {
		return err
	}
	return fmt.Errorf("%w: %s", err, *message)
}
