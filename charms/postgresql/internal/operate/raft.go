package operate

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"

	"github.com/gantry-orchestrator/gantry/charms/sdk"
	"github.com/gantry-orchestrator/gantry/model"
)

const raftPort = 2222

// Raft is Patroni's own consensus, as one member sees it. It is asked with
// syncobj_admin, which python3-pysyncobj brings.
type Raft struct {
	Address  string // of the member that is asked, an IP
	Password string
}

// Quorum is how the consensus stands.
type Quorum struct {
	Leader  string // address:port, "" without one
	Members []string
	Has     bool
}

// Status asks the member.
func (r Raft) Status(ctx context.Context) (Quorum, error) {
	out, err := r.admin(ctx, r.Address, "-status")
	if err != nil {
		return Quorum{}, err
	}
	var q Quorum
	for line := range strings.Lines(out) {
		key, value, ok := strings.Cut(strings.TrimSpace(line), ": ")
		if !ok {
			continue
		}
		switch {
		case key == "has_quorum":
			q.Has = value == "True"
		case key == "leader" && value != "None":
			q.Leader = value
		case key == "self":
			q.Members = append(q.Members, value)
		case strings.HasPrefix(key, "partner_node_status_server_"):
			q.Members = append(q.Members, strings.TrimPrefix(key, "partner_node_status_server_"))
		}
	}
	if len(q.Members) == 0 {
		return Quorum{}, fmt.Errorf("raft status of %s: %s", r.Address, strings.TrimSpace(out))
	}
	slices.Sort(q.Members)
	return q, nil
}

// lists reports whether the members of the consensus include an address.
func (q Quorum) lists(address string) bool {
	return slices.Contains(q.Members, sdk.Join(address, raftPort))
}

// Lists implements Consensus.
func (r Raft) Lists(ctx context.Context, address string) (bool, error) {
	q, err := r.Status(ctx)
	if err != nil {
		return false, err
	}
	if !q.Has {
		return false, fmt.Errorf("the consensus at %s has no quorum: %w", r.Address, model.ErrUnavailable)
	}
	return q.lists(address), nil
}

// Remove implements Consensus.
func (r Raft) Remove(ctx context.Context, address string) error {
	return until(ctx, address+" is no member of the consensus", func(ctx context.Context) (bool, error) {
		q, err := r.Status(ctx)
		if err != nil {
			return false, err
		}
		if !q.lists(address) {
			return true, nil
		}
		if q.Leader == "" || !q.Has {
			return false, errors.New("the consensus has no quorum: start a member again first")
		}
		leader, _, _ := strings.Cut(q.Leader, ":")
		// A repeat answers FAIL REMOVE: what counts is the list.
		_, err = r.admin(ctx, leader, "-remove", sdk.Join(address, raftPort))
		return false, err
	})
}

func (r Raft) admin(ctx context.Context, address string, args ...string) (string, error) {
	all := append([]string{"-conn", sdk.Join(address, raftPort), "-pass", r.Password}, args...)
	out, err := exec.CommandContext(ctx, "syncobj_admin", all...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("syncobj_admin %s at %s: %w: %s", args[0], address, err, strings.TrimSpace(string(out)))
	}
	return string(out), nil
}
