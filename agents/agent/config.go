package agent

import (
	"context"
	"fmt"
	"iter"
	"log/slog"
	"os/exec"
	"time"

	"github.com/gantry-orchestrator/gantry/agents/perform"
	"github.com/gantry-orchestrator/gantry/agents/supervise"
	"github.com/gantry-orchestrator/gantry/engine/provider/depot"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// Config is what an agent needs.
type Config struct {
	Machine    string // UUID
	Version    string // of gantry
	Dirs       Dirs
	Controller Controller
	Supervisor Supervisor
	Charms     Charms
	Packages   *perform.Apt // nil where the machine has no apt
	Software   depot.Depot
	// Program is the command that runs a charm's own program.
	Program func(effect.Charm) []string
	// Facts looks at the machine anew; it is asked at every connect.
	Facts func() effect.HostFacts
	// User is that which the agent runs as; empty: looked up. Superuser: it may
	// act as any.
	User      string
	Superuser bool
	// Jitter gives numbers from [0, 1) that keep reconnects apart.
	Jitter func() float64
	Logger *slog.Logger
}

// Controller is what an agent asks of a controller. Errors wrap a class of
// model; model.ErrUnavailable is tried again.
type Controller interface {
	// Connect opens a session. Its Hello is the agent's to send.
	Connect(ctx context.Context) (Session, error)
	Publish(ctx context.Context, p effect.Publication) (index uint64, err error)
	PutSecret(ctx context.Context, s effect.NewSecret) (id string, err error)
	ReadSecrets(ctx context.Context, unit model.UnitName, at []effect.SecretAt) ([]effect.OpenSecret, error)
	OpenClaim(ctx context.Context, c effect.Claim) (token uint64, err error)
	CloseClaim(ctx context.Context, c effect.ClaimResult) error
	FinishOperation(ctx context.Context, r effect.OperationResult) error
}

// Session is a stream to and from a controller. Send may be called by several
// at once, and while Recv waits.
type Session interface {
	Send(effect.Upward) error
	Recv() (effect.Downward, error)
	// Close ends both, at once.
	Close() error
}

// Supervisor owns the service processes of the machine: *supervise.Client.
type Supervisor interface {
	Runner
	Stop(ctx context.Context, id string) (supervise.Process, error)
	Remove(ctx context.Context, id string) error
	List(ctx context.Context) ([]supervise.Process, error)
	// Watch yields an event after each change, and ends with an error.
	Watch(ctx context.Context) iter.Seq2[supervise.Event, error]
}

// Runner is the part of a supervisor that runs services.
type Runner interface {
	Start(ctx context.Context, spec supervise.Spec) (supervise.Process, error)
	Restart(ctx context.Context, spec supervise.Spec) (supervise.Process, error)
	Reload(ctx context.Context, id string) (supervise.Process, error)
	Renew(ctx context.Context, id string, lease time.Time) (supervise.Process, error)
}

// Charms runs charms: *host.Host, which is to fetch what it does not have.
type Charms interface {
	Reconcile(ctx context.Context, charm effect.Charm, in effect.Input) (effect.Desired, error)
	// Call runs a named call as a user, in a process of its own.
	Call(ctx context.Context, charm effect.Charm, user string, call effect.Invocation) (string, error)
	RunAction(ctx context.Context, charm effect.Charm, user string, action effect.Invocation) (map[string]string, error)
}

// KeepingCharms is what Charms may do besides: have a call's process run so
// that its outcome outlives the agent.
type KeepingCharms interface {
	// CallKept is Call, its process run by run, which returns what it printed.
	CallKept(ctx context.Context, charm effect.Charm, user string, call effect.Invocation, run func(*exec.Cmd) ([]byte, error)) (string, error)
	// CallResult is the result of a call that printed this.
	CallResult(printed []byte) (string, error)
}

func (c Config) validate() error {
	if c.Machine == "" || c.Controller == nil || c.Supervisor == nil || c.Charms == nil ||
		c.Program == nil || c.Facts == nil || c.Jitter == nil || c.Logger == nil || c.Dirs == (Dirs{}) {
		return fmt.Errorf("agent: all of Config but Packages is needed: %w", model.ErrInvalid)
	}
	return nil
}
