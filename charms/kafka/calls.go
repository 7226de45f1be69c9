package kafka

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/gantry-orchestrator/gantry/charms/kafka/internal/operate"
	"github.com/gantry-orchestrator/gantry/charms/tlscertificates/requirer"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// Call implements sdk.Caller.
func (Charm) Call(ctx context.Context, call effect.Invocation) (string, error) {
	if run, ok := requirer.Calls[call.Name]; ok {
		return run(call.Args)
	}
	run, ok := calls[call.Name]
	if !ok {
		return "", fmt.Errorf("call %q: %w", call.Name, model.ErrNotFound)
	}
	c := called{args: call.Args, cluster: operate.Cluster{
		Controllers: listed(call.Args["controllers"]), Brokers: listed(call.Args["brokers"]), Password: call.Args["password"],
		Trust: call.Args["trust"], Cert: call.Args["cert"], Key: call.Args["key"],
	}}
	return run(c, ctx)
}

// called is a call with what it was given.
type called struct {
	args    map[string]string
	cluster operate.Cluster
}

var calls = map[string]func(called, context.Context) (string, error){
	callNode:       called.node,
	callHealthy:    called.healthy,
	callMember:     called.member,
	callTraces:     called.traces,
	callVote:       called.vote,
	callLeave:      called.leave,
	callUnregister: called.unregister,
	callReplicate:  called.replicate,
	callClient:     called.client,
	callDrop: func(c called, ctx context.Context) (string, error) {
		return "", c.cluster.Drop(ctx, c.args["user"])
	},
}

// listed are the parts of a text between commas.
func listed(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, ",")
}

func (c called) number(name string) int {
	n, err := strconv.Atoi(c.args[name])
	if err != nil {
		return -1 // Kafka refuses it
	}
	return n
}

func (c called) id() int32 { return int32(c.number("node")) }

func (c called) has(role string) bool { return strings.Contains(c.args["roles"], role) }

func (c called) directory() (operate.Directory, error) {
	return operate.DirectoryAt(c.args["metadata"])
}

// node is what the node says of itself.
func (c called) node(ctx context.Context) (string, error) {
	q, err := c.cluster.Quorum(ctx)
	if err != nil {
		return "", err
	}
	s := nodeStatus{Leader: int(q.Leader)}
	if c.has("controller") {
		d, err := c.directory()
		if err != nil {
			return "", err
		}
		r, seen := q.Of(c.id(), d)
		s.Voter = seen && r.Voter
	}
	if c.has("broker") {
		if s.Broker, err = c.own().Serves(ctx, c.id()); err != nil {
			return "", err
		}
	}
	return encoded(s)
}

// own is the cluster with the node's own broker alone: others would not say
// whether it answers.
func (c called) own() operate.Cluster {
	own := c.cluster
	own.Brokers = own.Brokers[:min(1, len(own.Brokers))]
	return own
}

func encoded(v any) (string, error) {
	b, err := json.Marshal(v)
	return string(b), err
}

// healthy reports whether the node has all that it should have.
func (c called) healthy(ctx context.Context) (string, error) {
	if c.has("broker") {
		if in, err := c.own().InSync(ctx, c.id()); err != nil || !in {
			return "false", err
		}
	}
	if c.has("controller") {
		d, err := c.directory()
		if err != nil {
			return "", err
		}
		caught, err := c.cluster.Caught(ctx, c.id(), d)
		return fmt.Sprint(caught), err
	}
	return "true", nil
}

// member reports whether the node is a whole member: healthy, and one that
// votes.
func (c called) member(ctx context.Context) (string, error) {
	healthy, err := c.healthy(ctx)
	if err != nil || healthy != "true" || !c.has("controller") {
		return healthy, err
	}
	q, err := c.cluster.Quorum(ctx)
	if err != nil {
		return "", err
	}
	_, votes := q.Voter(c.id())
	return fmt.Sprint(votes), nil
}

func (c called) traces(ctx context.Context) (string, error) {
	var t traces
	if c.has("controller") {
		q, err := c.cluster.Quorum(ctx)
		if err != nil {
			return "", err
		}
		_, t.Voter = q.Voter(c.id())
	}
	if c.has("broker") {
		var err error
		if t.Held, t.Registered, err = c.cluster.Held(ctx, c.id()); err != nil {
			return "", err
		}
	}
	return encoded(t)
}

func (c called) vote(ctx context.Context) (string, error) {
	d, err := c.directory()
	if err != nil {
		return "", err
	}
	return "", c.cluster.AddVoter(ctx, c.args["cluster"], c.id(), d, c.args["listener"])
}

// leave hands all replicas over, and then gives the vote back.
func (c called) leave(ctx context.Context) (string, error) {
	if c.has("broker") {
		var others []int32
		for _, text := range listed(c.args["leaving"]) {
			n, err := strconv.ParseInt(text, 10, 32)
			if err != nil {
				return "", errors.Join(err, model.ErrInvalid)
			}
			others = append(others, int32(n))
		}
		if err := c.cluster.Drain(ctx, c.id(), others...); err != nil {
			return "", err
		}
	}
	if !c.has("controller") {
		return "", nil
	}
	return "", c.cluster.RemoveVoter(ctx, c.args["cluster"], c.id())
}

func (c called) unregister(ctx context.Context) (string, error) {
	return "", c.cluster.Unregister(ctx, c.id())
}

func (c called) replicate(ctx context.Context) (string, error) {
	return "", c.cluster.Replicate(ctx, c.number("factor"), c.number("minimum"))
}

func (c called) client(ctx context.Context) (string, error) {
	topic := operate.Topic{
		Name: c.args["topic"], Partitions: int32(c.number("partitions")), Factor: c.number("factor"), MinInSync: c.number("minimum"),
	}
	if err := c.cluster.EnsureTopic(ctx, topic); err != nil {
		return "", err
	}
	if err := c.cluster.EnsureUser(ctx, c.args["user"], c.args["user-password"]); err != nil {
		return "", err
	}
	return "", c.cluster.Allow(ctx, c.args["user"], operate.Permissions(topic.Name, c.args["group"], listed(c.args["user-roles"])))
}
