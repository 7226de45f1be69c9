package operate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gantry-orchestrator/gantry/model"
)

// Member is one member as the cluster lists it.
type Member struct {
	ID         uint64   `json:"ID,string"`
	Name       string   `json:"name"` // "" until it has started
	PeerURLs   []string `json:"peerURLs"`
	ClientURLs []string `json:"clientURLs"`
	Learner    bool     `json:"isLearner"`
}

// Hex is the ID as etcd's tools write it.
func (m Member) Hex() string { return strconv.FormatUint(m.ID, 16) }

// Status is what a member says of itself.
type Status struct {
	Header struct {
		Member uint64 `json:"member_id,string"`
	}
	Leader  uint64 `json:"leader,string"`
	Learner bool   `json:"isLearner"`
	Version string `json:"version"`
	Size    int64  `json:"dbSize,string"`
}

// poll is how often a member is asked while something is under way.
const poll = 500 * time.Millisecond

// Members lists the members; a learner cannot.
func (c Cluster) Members(ctx context.Context) ([]Member, error) {
	var list struct{ Members []Member }
	err := c.call(ctx, "/v3/cluster/member/list", struct{}{}, &list)
	return list.Members, err
}

// Status asks the member itself.
func (c Cluster) Status(ctx context.Context) (Status, error) {
	var s Status
	err := c.call(ctx, "/v3/maintenance/status", struct{}{}, &s)
	return s, err
}

// Join adds a learner, and returns the members with which it starts, as etcd's
// initial-cluster has them. A learner of that URL that has never started is
// the one that an earlier attempt added.
func (c Cluster) Join(ctx context.Context, name, peerURL string) (cluster string, err error) {
	all, err := c.Members(ctx)
	if err != nil {
		return "", err
	}
	learner, listed := at(all, peerURL)
	if listed && learner.Name != "" {
		return "", fmt.Errorf("%s is that of member %s, which has started: remove it first: %w", peerURL, learner.Hex(), model.ErrConflict)
	}
	if !listed {
		var added struct {
			Member  Member
			Members []Member
		}
		body := map[string]any{"peerURLs": []string{peerURL}, "isLearner": true}
		if err := c.call(ctx, "/v3/cluster/member/add", body, &added); err != nil {
			return "", fmt.Errorf("add a learner: %w", err)
		}
		all, learner = added.Members, added.Member
	}
	c.known(ctx, all, learner.ID)
	var entries []string
	for _, m := range all {
		for _, url := range m.PeerURLs {
			if url == peerURL {
				m.Name = name
			}
			entries = append(entries, m.Name+"="+url)
		}
	}
	slices.Sort(entries)
	return strings.Join(entries, ","), nil
}

// agreement is how long a new member waits for the others to list it.
const agreement = 20 * time.Second

// known waits until every member lists a learner, for a while: one that has just
// started may be behind. etcd asks any of them who it is when it starts for the
// first time: one that still lists an earlier member of the same URL would have
// it be that one, which the others let in no more.
func (c Cluster) known(ctx context.Context, all []Member, learner uint64) {
	ctx, cancel := context.WithTimeout(ctx, agreement)
	defer cancel()
	for _, m := range all {
		for _, url := range m.ClientURLs {
			c.Endpoint = url
			for !c.lists(ctx, learner) && ctx.Err() == nil {
				select {
				case <-ctx.Done():
				case <-time.After(poll):
				}
			}
		}
	}
}

func (c Cluster) lists(ctx context.Context, id uint64) bool {
	all, err := c.Members(ctx)
	return err == nil && slices.ContainsFunc(all, func(m Member) bool { return m.ID == id })
}

func at(all []Member, peerURL string) (Member, bool) {
	i := slices.IndexFunc(all, func(m Member) bool { return slices.Contains(m.PeerURLs, peerURL) })
	if i < 0 {
		return Member{}, false
	}
	return all[i], true
}

// Promote makes a voter of the learner of a URL, once it has caught up.
func (c Cluster) Promote(ctx context.Context, peerURL string) error {
	for {
		done, err := c.promote(ctx, peerURL)
		if done {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the learner at %s: %w", peerURL, errors.Join(err, ctx.Err()))
		case <-time.After(poll):
		}
	}
}

func (c Cluster) promote(ctx context.Context, peerURL string) (voter bool, err error) {
	all, err := c.Members(ctx)
	if err != nil {
		return false, err
	}
	m, listed := at(all, peerURL)
	if !listed {
		return false, fmt.Errorf("no member has it: %w", model.ErrNotFound)
	}
	if !m.Learner {
		return true, nil
	}
	return false, c.call(ctx, "/v3/cluster/member/promote", map[string]string{"ID": fmt.Sprint(m.ID)}, nil)
}

// Lists reports whether a member of an ID, in hexadecimal, is listed.
func (c Cluster) Lists(ctx context.Context, id string) (bool, error) {
	all, err := c.Members(ctx)
	return slices.ContainsFunc(all, func(m Member) bool { return m.Hex() == id }), err
}

// Remove takes the member of an ID, in hexadecimal, out of the cluster. A
// leader hands over first. Who is not listed is removed.
func (c Cluster) Remove(ctx context.Context, id string) error {
	number, err := strconv.ParseUint(id, 16, 64)
	if err != nil {
		return fmt.Errorf("member ID %q: %w", id, errors.Join(err, model.ErrInvalid))
	}
	all, err := c.Members(ctx)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(all, func(m Member) bool { return m.ID == number })
	if i < 0 {
		return nil
	}
	if err := c.handOver(ctx, all[i], all); err != nil {
		return err
	}
	err = c.call(ctx, "/v3/cluster/member/remove", map[string]string{"ID": fmt.Sprint(number)}, nil)
	if errors.Is(err, model.ErrNotFound) {
		return nil
	}
	return err
}

// handOver has a member that leads make another voter the leader.
func (c Cluster) handOver(ctx context.Context, from Member, all []Member) error {
	here, err := c.Status(ctx)
	if err != nil || here.Leader != from.ID || len(from.ClientURLs) == 0 {
		return err
	}
	i := slices.IndexFunc(all, func(m Member) bool { return m.ID != from.ID && !m.Learner && m.Name != "" })
	if i < 0 {
		return nil
	}
	leader := c
	leader.Endpoint = from.ClientURLs[0]
	if err := leader.call(ctx, "/v3/maintenance/transfer-leadership", map[string]string{"targetID": fmt.Sprint(all[i].ID)}, nil); err != nil {
		return fmt.Errorf("hand over to %s: %w", all[i].Name, err)
	}
	return nil
}

// Votes reports whether the member itself is a voter under a leader.
func (c Cluster) Votes(ctx context.Context) (bool, error) {
	s, err := c.Status(ctx)
	if err != nil || s.Learner || s.Leader == 0 {
		return false, err
	}
	return c.Lists(ctx, strconv.FormatUint(s.Header.Member, 16))
}
