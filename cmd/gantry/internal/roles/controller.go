package roles

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/gantry-orchestrator/gantry/agents/agent"
	"github.com/gantry-orchestrator/gantry/charms/host"
	"github.com/gantry-orchestrator/gantry/charms/sdk"
	"github.com/gantry-orchestrator/gantry/engine/api"
	"github.com/gantry-orchestrator/gantry/engine/controller"
	"github.com/gantry-orchestrator/gantry/engine/observe/trace"
	"github.com/gantry-orchestrator/gantry/engine/plan"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/charm"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

func controllerRole(places func() Places) *cobra.Command {
	var m memberOptions
	cmd := &cobra.Command{
		Use: "controller", Hidden: true, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := become(cmd.Context()); err != nil {
				return err
			}
			return untilSignal(cmd.Context(), func(ctx context.Context) error {
				if m.dir != "" {
					return m.run(ctx)
				}
				return runController(ctx, places())
			})
		},
	}
	m.register(cmd)
	return cmd
}

// untilSignal runs a role until it ends or is told to.
func untilSignal(ctx context.Context, role func(context.Context) error) error {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	return role(ctx)
}

func runController(ctx context.Context, p Places) error {
	install, err := p.loadInstall()
	if err != nil {
		return err
	}
	if err := p.lost(install); err != nil {
		return err
	}
	return control(ctx, filepath.Join(p.Run, "charms"), controller.Config{
		Dir: p.controller(), Listen: listenAddress(install), Advertise: advertised(install),
		Provider: install.Provider, Health: install.health(),
	})
}

// advertised are the controller's addresses for operators and other hosts.
func advertised(i Install) []string {
	own := net.JoinHostPort("127.0.0.1", strconv.Itoa(i.Port))
	if i.Advertise == "" || i.Advertise == own {
		return []string{own}
	}
	return []string{i.Advertise, own}
}

// control runs a controller with the charms of this binary, whose processes
// have their sockets in a directory.
func control(ctx context.Context, sockets string, c controller.Config) error {
	c.Log, c.Version = logger("controller"), Version
	var err error
	if c.Tracer, err = trace.Open(ctx, os.Getenv, "gantry-controller", Version); err != nil {
		return err
	}
	defer c.Tracer.Close(context.WithoutCancel(ctx))
	if c.BuiltIn, err = builtInArtifacts(); err != nil {
		return err
	}
	planned, err := openPlanCharms(c)
	if err != nil {
		return err
	}
	asked, err := host.New(host.Config{Resolve: planned.resolve, Dir: sockets, Log: c.Log})
	if err != nil {
		return err
	}
	defer asked.Close()
	c.Plan = plan.Config{Charms: asked, Host: plannedHost, Workload: workload}
	return controller.Run(ctx, c)
}

// plannedHost is where a machine of its own keeps a unit's things.
func plannedHost(unit model.UnitName, name model.CharmName) effect.Host {
	h := agent.SystemDirs().Host(unit)
	h.Program = []string{"/usr/lib/gantry/gantry", charmCommand, string(name), "run"}
	h.Superuser, h.User = true, "root"
	return h
}

// workload begins the twin of a built-in charm.
func workload(name model.CharmName) (plan.Workload, bool) {
	for _, b := range Builtins() {
		if b.Name == name {
			return sdk.Simulate(b.Charm, 0)
		}
	}
	return nil, false
}

// listenAddress is where the controller listens: sandbox machines reach it at
// their gateway, whose address comes and goes with the bridge, so it listens
// on all; nothing there speaks before mutual TLS.
func listenAddress(i Install) string {
	host := ""
	if i.Provider == "loopback" {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, strconv.Itoa(i.Port))
}

// sharedRoot is where machines see the directories that an application's
// members share.
const sharedRoot = "/srv/gantry/"

// builtInArtifacts are the built-in charms as the controller knows charms.
func builtInArtifacts() ([]api.Artifact, error) {
	var all []api.Artifact
	for _, b := range Builtins() {
		declared, err := charm.Read("builtin/"+string(b.Name), b.Files)
		if err != nil {
			return nil, fmt.Errorf("built-in charm %s: %w", b.Name, err)
		}
		a := api.Artifact{Hash: builtInPrefix + string(b.Name) + "-" + Version, Location: "builtin", BuiltIn: true, Declared: *declared}
		for _, s := range declared.Meta.Storage {
			if s.Shared {
				a.Shared = append(a.Shared, effect.Shared{Name: s.Name, Path: sharedRoot + s.Name})
			}
		}
		all = append(all, a)
	}
	return all, nil
}
