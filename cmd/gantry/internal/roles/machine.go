package roles

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/gantry-orchestrator/gantry/agents/agent"
	"github.com/gantry-orchestrator/gantry/agents/perform"
	"github.com/gantry-orchestrator/gantry/agents/supervise"
	"github.com/gantry-orchestrator/gantry/engine/client"
	"github.com/gantry-orchestrator/gantry/engine/provider/depot"
	"github.com/gantry-orchestrator/gantry/engine/wire"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// stderr is where roles log; their supervisor keeps it.
var stderr io.Writer = os.Stderr

// gatewayWord stands for the machine's own default gateway, where its host
// listens.
const gatewayWord = "gateway"

const superviseCommand = "supervise"

// place is where a machine is on its host.
type place struct{ root, run string }

func (p place) dirs() agent.Dirs {
	d := agent.Below(p.root)
	d.Run = p.run
	return d
}

func (p *place) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&p.root, "root", "/", "the machine's root directory")
	cmd.Flags().StringVar(&p.run, "run", "/run/gantry", "the machine's directory for sockets")
}

func (p place) supervisor() string { return filepath.Join(p.dirs().State, "supervisor") }

func (p place) socket() string { return filepath.Join(p.run, "supervisor", "socket") }

// superviseRole owns service processes: of a machine, where it also keeps the
// machine's agent running, or of this host.
func superviseRole(places func() Places) *cobra.Command {
	var machine bool
	var at place
	cmd := &cobra.Command{
		Use: superviseCommand, Hidden: true, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c := supervise.Config{Jitter: rand.Float64, Logger: logger("supervisor")}
			if machine {
				spec := at.agentSpec()
				c.Dir, c.Socket, c.Agent = at.supervisor(), at.socket(), &spec
				if err := at.make(); err != nil {
					return err
				}
			} else {
				p := places()
				c.Dir, c.Socket = p.supervisor(), p.socket()
			}
			if err := os.MkdirAll(c.Dir, 0o700); err != nil {
				return err
			}
			return supervise.Run(cmd.Context(), c)
		},
	}
	cmd.Flags().BoolVar(&machine, "machine", false, "supervise a machine and keep its agent running")
	at.flags(cmd)
	return cmd
}

// make makes the machine's directories. Services run as users of their own,
// so all may pass through; sockets that are not for all have directories of
// their own.
func (p place) make() error {
	d := p.dirs()
	for _, dir := range []string{d.State, d.Run, d.Log} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("make the machine's directories: %w", err)
		}
		if err := os.Chmod(dir, 0o755); err != nil {
			return fmt.Errorf("make the machine's directories: %w", err)
		}
	}
	return nil
}

func (p place) agentSpec() supervise.Spec {
	self, err := os.Executable()
	if err != nil {
		self = os.Args[0]
	}
	return supervise.Spec{
		ID:      "gantry/agent",
		Command: []string{self, "agent", "--root", p.root, "--run", p.run},
		Env:     environment(),
		LogFile: filepath.Join(p.dirs().Log, "agent.log"),
	}
}

// environment is what the processes of Gantry itself get.
func environment() []string {
	env := []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", "GOMEMLIMIT=256MiB"}
	if home := os.Getenv("HOME"); home != "" {
		env = append(env, "HOME="+home)
	}
	return env
}

func machineAgent() *cobra.Command {
	var at place
	cmd := &cobra.Command{
		Use: "agent", Hidden: true, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return untilSignal(cmd.Context(), func(ctx context.Context) error { return runAgent(ctx, at) })
		},
	}
	at.flags(cmd)
	cmd.AddCommand(reattach())
	return cmd
}

func runAgent(ctx context.Context, at place) error {
	log := logger("agent")
	start, err := readStart(at)
	if err != nil {
		return err
	}
	identity, err := at.identity(ctx, start)
	if err != nil {
		return err
	}
	controller, err := client.DialAgent(identity)
	if err != nil {
		return err
	}
	defer controller.Close()
	charms, err := openCharms(at, controller, log)
	if err != nil {
		return err
	}
	superuser := os.Geteuid() == 0
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return charms.Run(ctx) })
	group.Go(func() error { return at.followReattached(ctx, start.Addresses, controller, log) })
	group.Go(func() error { return controller.KeepRenewed(ctx, at.identityFile(), log) })
	group.Go(func() error {
		return agent.Run(ctx, agent.Config{
			Machine: start.UUID, Version: Version, Dirs: at.dirs(), Superuser: superuser,
			Controller: agent.Remote{Agent: controller}, Supervisor: supervise.Dial(at.socket()),
			Charms: charms, Packages: at.apt(superuser), Software: depot.Depot{Root: at.dirs().Software(), Maven: depot.RunMaven}, Program: charms.program,
			Facts:  func() effect.HostFacts { return hostFacts(at, charms.Lacks()) },
			Jitter: rand.Float64, Logger: log,
		})
	})
	if err := group.Wait(); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// apt is the machine's own where it has a root of its own; elsewhere packages
// are the operator's, and only looked at.
func (p place) apt(superuser bool) *perform.Apt {
	if _, err := exec.LookPath("dpkg-query"); err != nil {
		return nil
	}
	own := p.root == "/"
	return &perform.Apt{
		Run:       func(ctx context.Context, c perform.Command) (perform.Output, error) { return c.Run(ctx) },
		Superuser: superuser && own, OwnMachine: own, Root: "/", Now: time.Now,
	}
}

func readStart(at place) (s machineStart, err error) {
	path := filepath.Join(at.root, machineFile)
	b, err := os.ReadFile(path)
	if err != nil {
		return s, fmt.Errorf("what this machine starts with: %w", err)
	}
	if err := json.Unmarshal(b, &s); err != nil {
		return s, fmt.Errorf("%s: %w", path, err)
	}
	if s.Addresses, err = throughGateway(s.Addresses); err != nil {
		return s, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

// identity is the machine's own context: from the last start, or by its token,
// which is good once.
func (p place) identity(ctx context.Context, start machineStart) (client.Context, error) {
	path := p.identityFile()
	c, err := client.Load(path)
	if err == nil {
		c.Addresses = start.Addresses
		return c, nil
	}
	if _, statErr := os.Stat(path); !errors.Is(statErr, fs.ErrNotExist) {
		return c, err
	}
	token, err := wire.ParseToken(start.Token)
	if err != nil {
		return c, err
	}
	token.Addresses = append(start.Addresses, token.Addresses...)
	if c, err = client.Join(ctx, token.String()); err != nil {
		return c, err
	}
	if err := c.Save(path); err != nil {
		return c, err
	}
	return p.identity(ctx, start)
}

// identityFile is the machine's own context.
func (p place) identityFile() string { return filepath.Join(p.dirs().State, "agent.json") }
