package kafka

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gantry-orchestrator/gantry/charms/kafka/internal/operate"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// operator is what an action has at hand on its unit.
type operator struct {
	unit    *node
	params  map[string]string
	cluster operate.Cluster
}

// RunAction implements sdk.ActionRunner.
func (Charm) RunAction(ctx context.Context, action effect.Invocation) (map[string]string, error) {
	run, ok := actions[action.Name]
	if !ok {
		return nil, fmt.Errorf("action %q: %w", action.Name, model.ErrNotFound)
	}
	o := operator{unit: newNode(action.Input), params: action.Args}
	var err error
	if o.unit.settings, err = parseSettings(action.Input); err != nil {
		return nil, err
	}
	if waits := o.unit.join(); waits != "" {
		return nil, fmt.Errorf("the node waits %s: %w", waits, model.ErrUnavailable)
	}
	cert, trust := "", ""
	if o.unit.cluster.TLS {
		cert, trust = o.unit.configFile(certFile), o.unit.configFile(trustFile)
	}
	o.cluster, err = operate.Cluster{Controllers: o.unit.controllers(), Brokers: o.unit.brokers()}.Local(o.unit.configFile(passwordFile), cert, trust)
	if err != nil {
		return nil, err
	}
	return run(o, ctx)
}

var actions = map[string]func(operator, context.Context) (map[string]string, error){
	"get-listeners":           operator.listeners,
	"describe-quorum":         operator.describeQuorum,
	"list-topics":             operator.listTopics,
	"list-users":              operator.listUsers,
	"export-config":           operator.exportConfig,
	"create-topic":            operator.createTopic,
	"create-user":             operator.createUser,
	"set-password":            operator.setPassword,
	"rebalance":               operator.rebalance,
	"drain-broker":            operator.drain,
	"elect-preferred-leaders": operator.elect,
	"finalize-upgrade":        operator.finalize,
}

func (o operator) listeners(context.Context) (map[string]string, error) {
	var lines []string
	for _, l := range o.unit.serves() {
		lines = append(lines, fmt.Sprintf("%s %s %s for %s", l.name, address(o.unit.in.Spec.Address, l.port), l.protocol, l.of))
	}
	return map[string]string{"listeners": strings.Join(lines, "\n")}, nil
}

func (o operator) describeQuorum(ctx context.Context) (map[string]string, error) {
	q, err := o.cluster.Quorum(ctx)
	if err != nil {
		return nil, err
	}
	var lines []string
	for _, r := range q.Replicas {
		part := "observer"
		switch {
		case r.Voter && r.Node == q.Leader:
			part = "leader"
		case r.Voter:
			part = "voter"
		}
		lines = append(lines, fmt.Sprintf("%d %s %s lag %d", r.Node, r.Directory, part, r.Lag))
	}
	return map[string]string{"leader": fmt.Sprint(q.Leader), "voters": fmt.Sprint(len(q.Voters())), "replicas": strings.Join(lines, "\n")}, nil
}

func (o operator) listTopics(ctx context.Context) (map[string]string, error) {
	all, err := o.cluster.Topics(ctx)
	if err != nil {
		return nil, err
	}
	var lines []string
	for _, t := range all {
		lines = append(lines, fmt.Sprintf("%s partitions %d replicas %d", t.Name, t.Partitions, t.Factor))
	}
	return map[string]string{"topics": strings.Join(lines, "\n"), "count": fmt.Sprint(len(all))}, nil
}

func (o operator) listUsers(ctx context.Context) (map[string]string, error) {
	all, err := o.cluster.Users(ctx)
	if err != nil {
		return nil, err
	}
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(all)) {
		lines = append(lines, fmt.Sprintf("%s permissions %d", name, all[name]))
	}
	return map[string]string{"users": strings.Join(lines, "\n"), "count": fmt.Sprint(len(all))}, nil
}

func (o operator) exportConfig(context.Context) (map[string]string, error) {
	lines := slices.Concat(o.unit.properties(), o.unit.movable())
	return map[string]string{"server.properties": strings.Join(lines, "\n")}, nil
}

func (o operator) createTopic(ctx context.Context) (map[string]string, error) {
	t := operate.Topic{Name: o.params["topic"], Partitions: int32(o.unit.settings.partitions), Factor: factor(o.unit.in.Spec.Planned)}
	t.MinInSync = minimum(t.Factor)
	if text := o.params["partitions"]; text != "" && text != "0" {
		if _, err := fmt.Sscan(text, &t.Partitions); err != nil || t.Partitions < 1 {
			return nil, fmt.Errorf("partitions is %q: expected a number from 1: %w", text, model.ErrInvalid)
		}
	}
	if err := o.cluster.EnsureTopic(ctx, t); err != nil {
		return nil, err
	}
	return map[string]string{"topic": t.Name, "partitions": fmt.Sprint(t.Partitions), "replicas": fmt.Sprint(t.Factor)}, nil
}

// reserved reports whether a user is one that relations and nodes have.
func reserved(user string) bool {
	return user == operate.Member || strings.HasPrefix(user, "relation-")
}

func (o operator) createUser(ctx context.Context) (map[string]string, error) {
	user := o.params["username"]
	if reserved(user) {
		return nil, fmt.Errorf("%s is the name of a node or a relation: choose another: %w", user, model.ErrInvalid)
	}
	roles := listed(o.params["roles"])
	if len(roles) > 0 && o.params["topic"] == "" && !slices.Contains(roles, "admin") {
		return nil, fmt.Errorf("roles %v are for a topic: name one: %w", roles, model.ErrInvalid)
	}
	password := operate.NewPassword()
	if err := o.cluster.EnsureUser(ctx, user, password); err != nil {
		return nil, err
	}
	if len(roles) > 0 {
		if err := o.cluster.Allow(ctx, user, operate.Permissions(o.params["topic"], user+"-", roles)); err != nil {
			return nil, err
		}
	}
	return map[string]string{
		"username": user, "password": password, "endpoints": strings.Join(o.unit.endpoints(), ","), "consumer-group-prefix": user + "-",
	}, nil
}

func (o operator) setPassword(ctx context.Context) (map[string]string, error) {
	user := o.params["username"]
	if reserved(user) {
		return nil, fmt.Errorf("the password of %s is the charm's: remove the relation and make it again: %w", user, model.ErrInvalid)
	}
	all, err := o.cluster.Users(ctx)
	if err != nil {
		return nil, err
	}
	if _, known := all[user]; !known {
		return nil, fmt.Errorf("user %s: run create-user: %w", user, model.ErrNotFound)
	}
	password := operate.NewPassword()
	return map[string]string{"username": user, "password": password}, o.cluster.EnsureUser(ctx, user, password)
}

func (o operator) rebalance(ctx context.Context) (map[string]string, error) {
	dry := o.params["dryrun"] != "false"
	var moved []operate.Partition
	var err error
	switch mode := o.params["mode"]; mode {
	case "full", "add", "":
		moved, err = o.cluster.Level(ctx, dry)
	case "remove":
		moved, err = o.cluster.Emptied(ctx, int32(o.unit.id()), dry)
	default:
		err = fmt.Errorf("mode is %q: expected full, add or remove: %w", mode, model.ErrInvalid)
	}
	if err != nil {
		return nil, err
	}
	var lines []string
	for _, p := range moved {
		lines = append(lines, fmt.Sprintf("%s/%d to %v", p.Topic, p.Number, p.Replicas))
	}
	return map[string]string{"moved": strings.Join(lines, "\n"), "count": fmt.Sprint(len(moved)), "dryrun": fmt.Sprint(dry)}, nil
}

func (o operator) drain(ctx context.Context) (map[string]string, error) {
	return map[string]string{"node": fmt.Sprint(o.unit.id())}, o.cluster.Drain(ctx, int32(o.unit.id()))
}

func (o operator) elect(ctx context.Context) (map[string]string, error) {
	changed, err := o.cluster.Elect(ctx)
	return map[string]string{"changed": fmt.Sprint(changed)}, err
}

func (o operator) finalize(ctx context.Context) (map[string]string, error) {
	from, to, err := o.cluster.Finalize(ctx)
	return map[string]string{"from": fmt.Sprint(from), "to": fmt.Sprint(to)}, err
}
