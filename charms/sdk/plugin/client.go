package plugin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
	"github.com/hashicorp/go-plugin/runner"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/gantry-orchestrator/gantry/charms/sdk/plugin/internal/charmpb"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// Deadline is how long a charm may take for one Reconcile.
const Deadline = time.Second

// patience is how long an answer may take where the process does not get to
// answer anything: the machine is busy, and no charm is at fault.
const patience = 30 * time.Second

// startDeadline is how long a charm's process may take to serve.
const startDeadline = 10 * time.Second

// ErrPanic and ErrDeadline are what a charm's own fault looks like; neither
// changes anything on the machine.
var (
	ErrPanic    = errors.New("the charm panicked")
	ErrDeadline = fmt.Errorf("the charm did not answer within %v", Deadline)
)

// errEncode is of an input that has no JSON: no process is at fault.
var errEncode = errors.New("encode the input")

// ConnectConfig is what Connect needs.
type ConnectConfig struct {
	Command   []string  // of the charm's process; the first is an absolute path
	SocketDir string    // in which a directory is made for the socket; must exist
	Group     string    // of the charm's process, where it differs from the agent's
	Stderr    io.Writer // gets what the charm prints
	// Start starts the process that cmd describes, confined as the caller sees
	// fit; it may write only in dir.
	Start func(cmd *exec.Cmd, dir string) error
}

// Client is an agent's end of one charm process.
type Client struct {
	process *goplugin.Client
	charm   charmpb.CharmClient
	units   numbering
}

// Connect launches a charm's process and waits until it serves.
func Connect(c ConnectConfig) (*Client, error) {
	process := goplugin.NewClient(&goplugin.ClientConfig{
		HandshakeConfig:  handshake(),
		Plugins:          goplugin.PluginSet{pluginName: &endpoint{}},
		AllowedProtocols: []goplugin.Protocol{goplugin.ProtocolGRPC},
		AutoMTLS:         true,
		SkipHostEnv:      true,
		StartTimeout:     startDeadline,
		UnixSocketConfig: &goplugin.UnixSocketConfig{Group: c.Group, TempDir: c.SocketDir},
		Logger:           hclog.NewNullLogger(),
		Stderr:           c.Stderr,
		SyncStdout:       c.Stderr,
		SyncStderr:       c.Stderr,
		GRPCDialOptions:  []grpc.DialOption{grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage), grpc.MaxCallSendMsgSize(maxMessage))},
		RunnerFunc: func(_ hclog.Logger, cmd *exec.Cmd, dir string) (runner.Runner, error) {
			return newProcess(c, cmd.Env, dir)
		},
	})
	charm, err := dispense(process)
	if err != nil {
		process.Kill()
		return nil, fmt.Errorf("start the charm's process: %w: %w", err, model.ErrUnavailable)
	}
	return &Client{process: process, charm: charm}, nil
}

func dispense(process *goplugin.Client) (charmpb.CharmClient, error) {
	conn, err := process.Client()
	if err != nil {
		return nil, err
	}
	raw, err := conn.Dispense(pluginName)
	if err != nil {
		return nil, err
	}
	return raw.(charmpb.CharmClient), nil
}

// Reconcile asks the charm. An error that is ErrDeadline leaves the process
// at work on the question: it is of no more use. The charm is late only once
// its process has answered, after the deadline, that it is there.
func (c *Client) Reconcile(ctx context.Context, in effect.Input) (effect.Desired, error) {
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	defer time.AfterFunc(Deadline, func() {
		if c.responds() {
			cancel()
		}
	}).Stop()
	res, err := c.ask(limited, in)
	switch {
	case ctx.Err() != nil:
		return effect.Desired{}, ctx.Err()
	case status.Code(err) == codes.DeadlineExceeded, status.Code(err) == codes.Canceled:
		return effect.Desired{}, ErrDeadline
	case errors.Is(err, errEncode):
		return effect.Desired{}, err
	case err != nil:
		return effect.Desired{}, fmt.Errorf("ask the charm's process: %w: %w", err, model.ErrUnavailable)
	case res.GetPanic() != "":
		return effect.Desired{}, fmt.Errorf("%w: %s", ErrPanic, res.GetPanic())
	}
	var want effect.Desired
	if err := json.Unmarshal(res.GetDesired(), &want); err != nil {
		return effect.Desired{}, fmt.Errorf("decode what is desired: %w", err)
	}
	return want, nil
}

// ask puts the question, and where the process does not know all units by
// their numbers, once more with all of them.
func (c *Client) ask(ctx context.Context, in effect.Input) (res *charmpb.ReconcileResponse, err error) {
	for _, all := range []bool{false, true} {
		req, brought, err := c.units.question(in, all)
		if err != nil {
			return nil, err
		}
		if res, err = c.charm.Reconcile(ctx, req); err != nil {
			return nil, err
		}
		if c.units.answered(res, brought); !res.GetUnknown() {
			break
		}
	}
	return res, nil
}

// responds returns true when the process answers, and false once it has ended.
func (c *Client) responds() bool {
	conn, err := c.process.Client()
	return err == nil && conn.Ping() == nil
}

// Exited reports whether the process has ended.
func (c *Client) Exited() bool { return c.process.Exited() }

// Close ends the process and waits for it.
func (c *Client) Close() { c.process.Kill() }

// Kill ends the process, its group with it, whatever it is doing, and waits
// for it.
func (c *Client) Kill() {
	if pid, err := strconv.Atoi(c.process.ID()); err == nil {
		_ = syscall.Kill(-pid, syscall.SIGKILL)
	}
	c.process.Kill()
}
