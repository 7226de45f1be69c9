package etcd

import (
	"context"
	"fmt"
	"path"
	"strings"

	"github.com/gantry-orchestrator/gantry/charms/etcd/internal/operate"
	"github.com/gantry-orchestrator/gantry/charms/sdk"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// operator is what an action has at hand on its unit.
type operator struct {
	unit    member
	params  map[string]string
	cluster operate.Cluster // the unit's own member
}

// RunAction implements sdk.ActionRunner.
func (Charm) RunAction(ctx context.Context, action effect.Invocation) (map[string]string, error) {
	run, ok := actions[action.Name]
	if !ok {
		return nil, fmt.Errorf("action %q: %w", action.Name, model.ErrNotFound)
	}
	o := operator{unit: member{in: action.Input, b: &sdk.Builder{}}, params: action.Args}
	o.unit.peers, _ = sdk.PeerRelation(action.Input)
	o.unit.observe()
	o.unit.mint()
	trust := ""
	if o.unit.founding.TLS {
		trust = o.unit.configFile(caFile)
	}
	var err error
	o.cluster, err = operate.Local(o.unit.founding.clientURL(action.Input.Spec.Address), o.unit.configFile(passwordFile), trust)
	if err != nil {
		return nil, err
	}
	return run(o, ctx)
}

var actions = map[string]func(operator, context.Context) (map[string]string, error){
	"member-list":    operator.memberList,
	"snapshot":       operator.snapshot,
	"defragment":     operator.defragment,
	"get-password":   operator.password,
	"replace-member": operator.replaceMember,
}

func (o operator) memberList(ctx context.Context) (map[string]string, error) {
	all, err := o.cluster.Members(ctx)
	if err != nil {
		return nil, err
	}
	s, err := o.cluster.Status(ctx)
	if err != nil {
		return nil, err
	}
	var lines []string
	for _, m := range all {
		part := "voter"
		switch {
		case m.Name == "":
			part = "unstarted"
		case m.Learner:
			part = "learner"
		case m.ID == s.Leader:
			part = "leader"
		}
		lines = append(lines, fmt.Sprintf("%s %s %s %s", m.Hex(), m.Name, part, strings.Join(m.PeerURLs, ",")))
	}
	return map[string]string{"members": strings.Join(lines, "\n"), "count": fmt.Sprint(len(all))}, nil
}

func (o operator) snapshot(ctx context.Context) (map[string]string, error) {
	file := o.params["path"]
	if file == "" {
		var err error
		if file, err = operate.SnapshotFile(path.Join(o.unit.in.Host.Data, "snapshots")); err != nil {
			return nil, err
		}
	}
	size, err := o.cluster.Snapshot(ctx, file)
	return map[string]string{"path": file, "size": fmt.Sprint(size)}, err
}

func (o operator) defragment(ctx context.Context) (map[string]string, error) {
	before, err := o.cluster.Status(ctx)
	if err != nil {
		return nil, err
	}
	if err := o.cluster.Defragment(ctx); err != nil {
		return nil, err
	}
	after, err := o.cluster.Status(ctx)
	return map[string]string{"size-before": fmt.Sprint(before.Size), "size": fmt.Sprint(after.Size)}, err
}

func (o operator) password(context.Context) (map[string]string, error) {
	return map[string]string{"username": "root", "password": o.cluster.Password}, nil
}

// replaceMember removes the unit's member through another one.
func (o operator) replaceMember(ctx context.Context) (map[string]string, error) {
	if _, err := o.cluster.Status(ctx); err == nil {
		return nil, fmt.Errorf("the member serves: its data is there: %w", model.ErrConflict)
	}
	if o.unit.begun == "" {
		return nil, fmt.Errorf("this unit has had no member yet: %w", model.ErrConflict)
	}
	partner, found := o.unit.partner()
	if !found {
		return nil, fmt.Errorf("no other member is there: %w", model.ErrUnavailable)
	}
	o.cluster.Endpoint = o.unit.founding.clientURL(partner.Address)
	return map[string]string{"removed": o.unit.begun}, o.cluster.Remove(ctx, o.unit.begun)
}
