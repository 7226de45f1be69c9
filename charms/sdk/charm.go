package sdk

import (
	"context"
	"io/fs"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// Charm answers for the units of an application.
//
// Reconcile is pure: no clock, no randomness, no files, no network, and equal
// inputs give equal outputs. It must answer within a second. A panic or a
// missed deadline changes nothing on the machine.
type Charm interface {
	Reconcile(in effect.Input) effect.Desired
}

// Caller is a charm with named calls, which its tasks and probes run. A call
// runs in a process of its own as the user that its Exec declares and is
// killed, with its process group, at the task's timeout. The string is its
// result: a probe's value, or what a task's Result keeps.
type Caller interface {
	Call(ctx context.Context, call effect.Invocation) (string, error)
}

// ActionRunner is a charm with actions, as actions in its charm.yaml declare
// them. An action runs as a call does; what it returns is shown to the operator.
type ActionRunner interface {
	RunAction(ctx context.Context, action effect.Invocation) (map[string]string, error)
}

// Program is a charm that is its own workload: a service whose command starts
// with Input.Host.Program runs it, with the arguments that follow.
type Program interface {
	Run(ctx context.Context, args []string) error
}

// Builtin is a charm that is linked into the gantry binary. Files holds its
// charm.yaml and whatever else an artifact would.
type Builtin struct {
	Name  model.CharmName
	Files fs.FS
	Charm Charm
}
