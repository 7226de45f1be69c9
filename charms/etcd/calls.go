package etcd

import (
	"context"
	"fmt"

	"github.com/gantry-orchestrator/gantry/charms/etcd/internal/operate"
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
	args := call.Args
	return run(ctx, operate.Cluster{Endpoint: args["endpoint"], Password: args["password"], Trust: args["trust"]}, args)
}

type callFunc func(ctx context.Context, c operate.Cluster, args map[string]string) (string, error)

var calls = map[string]callFunc{
	callJoin: func(ctx context.Context, c operate.Cluster, args map[string]string) (string, error) {
		return c.Join(ctx, args["name"], args["peer-url"])
	},
	callPromote: func(ctx context.Context, c operate.Cluster, args map[string]string) (string, error) {
		return "", c.Promote(ctx, args["peer-url"])
	},
	callMember: func(ctx context.Context, c operate.Cluster, _ map[string]string) (string, error) {
		return answer(c.Votes(ctx))
	},
	callListed: func(ctx context.Context, c operate.Cluster, args map[string]string) (string, error) {
		return answer(c.Lists(ctx, args["id"]))
	},
	callLeave: func(ctx context.Context, c operate.Cluster, args map[string]string) (string, error) {
		return "", c.Remove(ctx, args["id"])
	},
	callAuth: func(ctx context.Context, c operate.Cluster, _ map[string]string) (string, error) {
		return "", c.RequirePasswords(ctx)
	},
	callClient: func(ctx context.Context, c operate.Cluster, args map[string]string) (string, error) {
		return "", c.Ensure(ctx, args["user"], args["user-password"], args["prefix"])
	},
	callDrop: func(ctx context.Context, c operate.Cluster, args map[string]string) (string, error) {
		return "", c.Drop(ctx, args["user"])
	},
}

func answer(yes bool, err error) (string, error) { return fmt.Sprint(yes), err }

// Run implements sdk.Program: it is the process that becomes etcd.
func (Charm) Run(ctx context.Context, args []string) error {
	if len(args) < 5 || args[0] != "serve" {
		return fmt.Errorf("run: expected serve DATA BEGUN REFUSAL COMMAND: %w", model.ErrInvalid)
	}
	return operate.Serving{Data: args[1], Begun: args[2], Refusal: args[3], Command: args[4:]}.Serve(ctx)
}
