package operate

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/gantry-orchestrator/gantry/model"
)

// Topic is a topic that there is to be.
type Topic struct {
	Name       string
	Partitions int32
	Factor     int // replicas of each partition
	MinInSync  int // replicas that a write waits for
}

// EnsureTopic makes a topic once there are brokers enough, or gives one that
// is there its replicas.
func (c Cluster) EnsureTopic(ctx context.Context, t Topic) error {
	err := c.administer(func(admin *kadm.Client) error {
		return until(ctx, "topic "+t.Name+" is not there yet", func() (bool, error) {
			m, err := admin.BrokerMetadata(ctx)
			if err != nil {
				return false, err
			}
			if len(m.Brokers) < t.Factor {
				return false, fmt.Errorf("%d of %d brokers serve: %w", len(m.Brokers), t.Factor, model.ErrUnavailable)
			}
			minimum := fmt.Sprint(t.MinInSync)
			answer, err := admin.CreateTopic(ctx, t.Partitions, int16(t.Factor), map[string]*string{minInSync: &minimum}, t.Name)
			if errors.Is(err, kerr.TopicAlreadyExists) || errors.Is(answer.Err, kerr.TopicAlreadyExists) {
				answers, err := admin.AlterTopicConfigs(ctx, []kadm.AlterConfig{{Op: kadm.SetConfig, Name: minInSync, Value: &minimum}}, t.Name)
				for _, a := range answers {
					err = errors.Join(err, a.Err)
				}
				return err == nil, err
			}
			return err == nil, err
		})
	})
	if err != nil {
		return err
	}
	return c.Raise(ctx, t.Name, t.Factor)
}

// Topics lists the topics that are not Kafka's own, by name.
func (c Cluster) Topics(ctx context.Context) ([]Topic, error) {
	var all []Topic
	err := c.administer(func(admin *kadm.Client) error {
		topics, err := admin.ListTopics(ctx)
		for _, t := range topics.Sorted() {
			all = append(all, Topic{Name: t.Topic, Partitions: int32(len(t.Partitions)), Factor: t.Partitions.NumReplicas()})
		}
		return err
	})
	return all, err
}

// Permission is what a principal may do with what names begin with, or are.
type Permission struct {
	Kind       kmsg.ACLResourceType
	Name       string
	Prefixed   bool // Name is how names begin
	Operations []kadm.ACLOperation
}

// Permissions are those of a client of a topic, whose consumer groups' names
// begin with a prefix.
func Permissions(topic, group string, roles []string) []Permission {
	has := func(role string) bool { return slices.Contains(roles, role) }
	if has("admin") {
		all := []kadm.ACLOperation{kadm.OpAll}
		return []Permission{
			{Kind: kmsg.ACLResourceTypeTopic, Name: "*", Operations: all},
			{Kind: kmsg.ACLResourceTypeGroup, Name: "*", Operations: all},
			{Kind: kmsg.ACLResourceTypeTransactionalId, Name: "*", Operations: all},
			{Kind: kmsg.ACLResourceTypeCluster, Name: "kafka-cluster", Operations: all},
		}
	}
	on := Permission{Kind: kmsg.ACLResourceTypeTopic, Name: topic}
	var all []Permission
	if has("producer") {
		on.Operations = append(on.Operations, kadm.OpCreate, kadm.OpWrite, kadm.OpDescribe)
	}
	if has("consumer") {
		on.Operations = append(on.Operations, kadm.OpRead, kadm.OpDescribe)
		all = append(all, Permission{Kind: kmsg.ACLResourceTypeGroup, Name: group, Prefixed: true, Operations: []kadm.ACLOperation{kadm.OpRead, kadm.OpDescribe}})
	}
	slices.Sort(on.Operations)
	on.Operations = slices.Compact(on.Operations)
	return append(all, on)
}

// EnsureUser makes a user, or gives it this password.
func (c Cluster) EnsureUser(ctx context.Context, user, password string) error {
	return c.administer(func(admin *kadm.Client) error {
		answers, err := admin.AlterUserSCRAMs(ctx, nil, []kadm.UpsertSCRAM{
			{User: user, Mechanism: kadm.ScramSha512, Iterations: 4096, Password: password},
		})
		if err == nil {
			err = answers.Error()
		}
		if err != nil {
			return fmt.Errorf("make user %s: %w", user, err)
		}
		return nil
	})
}

// Allow gives a user these permissions and no others.
func (c Cluster) Allow(ctx context.Context, user string, permissions []Permission) error {
	return c.administer(func(admin *kadm.Client) error {
		had, err := granted(ctx, admin, user)
		if err != nil {
			return err
		}
		for _, p := range permissions {
			if err := allow(ctx, admin, user, p); err != nil {
				return err
			}
		}
		for _, old := range had {
			if !slices.ContainsFunc(permissions, old.within) {
				if err := old.revoke(ctx, admin, user); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

func allow(ctx context.Context, admin *kadm.Client, user string, p Permission) error {
	b := resource(kadm.NewACLs(), p.Kind, p.Name).Allow("User:" + user).AllowHosts("*").Operations(p.Operations...)
	if p.Prefixed {
		b = b.ResourcePatternType(kadm.ACLPatternPrefixed)
	} else {
		b = b.ResourcePatternType(kadm.ACLPatternLiteral)
	}
	answers, err := admin.CreateACLs(ctx, b)
	for _, a := range answers {
		err = errors.Join(err, a.Err)
	}
	if err != nil {
		return fmt.Errorf("let user %s reach %s: %w", user, p.Name, err)
	}
	return nil
}

func resource(b *kadm.ACLBuilder, kind kmsg.ACLResourceType, name string) *kadm.ACLBuilder {
	switch kind {
	case kmsg.ACLResourceTypeGroup:
		return b.Groups(name)
	case kmsg.ACLResourceTypeTransactionalId:
		return b.TransactionalIDs(name)
	case kmsg.ACLResourceTypeCluster:
		return b.Clusters()
	default:
		return b.Topics(name)
	}
}

// grant is one permission as Kafka has it: one operation.
type grant struct{ kadm.DescribedACL }

func (g grant) within(p Permission) bool {
	prefixed := g.Pattern == kadm.ACLPatternPrefixed
	return g.Type == p.Kind && g.Name == p.Name && prefixed == p.Prefixed && slices.Contains(p.Operations, g.Operation)
}

func (g grant) revoke(ctx context.Context, admin *kadm.Client, user string) error {
	b := resource(kadm.NewACLs(), g.Type, g.Name).Allow("User:" + user).AllowHosts("*").Operations(g.Operation).ResourcePatternType(g.Pattern)
	answers, err := admin.DeleteACLs(ctx, b)
	for _, a := range answers {
		err = errors.Join(err, a.Err)
	}
	if err != nil {
		return fmt.Errorf("take %s from user %s: %w", g.Name, user, err)
	}
	return nil
}

// granted are the permissions that a user has.
func granted(ctx context.Context, admin *kadm.Client, user string) ([]grant, error) {
	answers, err := admin.DescribeACLs(ctx, kadm.NewACLs().AnyResource().Allow("User:"+user).AllowHosts().
		Operations(kadm.OpAny).ResourcePatternType(kadm.ACLPatternAny))
	var all []grant
	for _, a := range answers {
		err = errors.Join(err, a.Err)
		for _, d := range a.Described {
			all = append(all, grant{d})
		}
	}
	if err != nil {
		return nil, fmt.Errorf("look for what user %s may do: %w", user, err)
	}
	return all, nil
}

// Drop removes a user and all that it may do.
func (c Cluster) Drop(ctx context.Context, user string) error {
	if err := c.Allow(ctx, user, nil); err != nil {
		return err
	}
	return c.administer(func(admin *kadm.Client) error {
		answers, err := admin.AlterUserSCRAMs(ctx, []kadm.DeleteSCRAM{{User: user, Mechanism: kadm.ScramSha512}}, nil)
		if err == nil {
			err = answers.Error()
		}
		if err != nil && !errors.Is(err, kerr.ResourceNotFound) {
			return fmt.Errorf("drop user %s: %w", user, err)
		}
		return nil
	})
}

// Users are those that have a password, by name, each with how many
// permissions it has.
func (c Cluster) Users(ctx context.Context) (map[string]int, error) {
	all := map[string]int{}
	err := c.administer(func(admin *kadm.Client) error {
		users, err := admin.DescribeUserSCRAMs(ctx)
		if err != nil {
			return err
		}
		for name := range users {
			grants, err := granted(ctx, admin, name)
			if err != nil {
				return err
			}
			all[name] = len(grants)
		}
		return nil
	})
	return all, err
}
