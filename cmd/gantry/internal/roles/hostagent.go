package roles

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"strconv"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/gantry-orchestrator/gantry/agents/agent"
	"github.com/gantry-orchestrator/gantry/engine/client"
	"github.com/gantry-orchestrator/gantry/engine/provider"
	"github.com/gantry-orchestrator/gantry/model/provision"
)

// machineFile is what a machine's agent starts with, below the machine's root.
const machineFile = "/etc/gantry/agent.json"

// machineStart is the content of machineFile.
type machineStart struct {
	UUID      string   `json:"uuid"`
	Token     string   `json:"token,omitempty"` // to join with; empty once the agent has joined
	Addresses []string `json:"addresses"`       // of the controller, as the machine reaches it
}

func hostAgent(places func() Places) *cobra.Command {
	return &cobra.Command{
		Use: "host-agent", Hidden: true, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return untilSignal(cmd.Context(), func(ctx context.Context) error { return runHostAgent(ctx, places()) })
		},
	}
}

func runHostAgent(ctx context.Context, p Places) error {
	log := logger("host-agent")
	install, err := p.loadInstall()
	if err != nil {
		return err
	}
	identity, err := client.Load(p.hostContext())
	if err != nil {
		return err
	}
	controller, err := client.DialHost(identity)
	if err != nil {
		return err
	}
	defer controller.Close()
	host := agent.NewHostAgent(agent.HostConfig{
		Provider: install.Provider, Machines: controller,
		Network:   func(a netip.Addr) netip.Prefix { return network(install, a) },
		Files:     func(w provision.Machine) (map[string]provider.File, error) { return startFiles(install, w) },
		SharedDir: p.shared(),
		Jitter:    rand.Float64, Logger: log,
	})
	made, err := openProvider(ctx, p, install, log, host.Progress)
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return host.Run(ctx, made) })
	group.Go(func() error { return reattachAll(ctx, made, install, log) })
	group.Go(func() error { return controller.KeepRenewed(ctx, p.hostContext(), log) })
	return group.Wait()
}

// network is what the machines of a provider share: the bridge's /24, or the
// whole of loopback.
func network(i Install, address netip.Addr) netip.Prefix {
	bits := 24
	if i.Provider == "loopback" {
		bits = 8
	}
	return netip.PrefixFrom(address, bits).Masked()
}

// startFiles are what a machine's agent starts with. The machine reaches the
// controller at the address of its own network that the host has.
func startFiles(i Install, w provision.Machine) (map[string]provider.File, error) {
	b, err := json.Marshal(machineStart{UUID: w.UUID, Token: w.Token, Addresses: controllerSeen(i)})
	if err != nil {
		return nil, fmt.Errorf("files of machine %s: %w", w.UUID, err)
	}
	return map[string]provider.File{machineFile: {Content: b, Mode: 0o600}}, nil
}

// controllerSeen are the controller's addresses as machines reach them. On a
// bridge it is the machine's own gateway, which the machine's agent fills in.
func controllerSeen(i Install) []string {
	host := gatewayWord
	if i.Provider == "loopback" {
		host = "127.0.0.1"
	}
	return []string{net.JoinHostPort(host, strconv.Itoa(i.Port))}
}

// logger writes a role's log lines to standard error, which its supervisor
// keeps.
func logger(role string) *slog.Logger {
	return slog.New(slog.NewTextHandler(stderr, nil)).With(slog.String("role", role))
}
