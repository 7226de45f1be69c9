package roles

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/gantry-orchestrator/gantry/agents/supervise"
	"github.com/gantry-orchestrator/gantry/engine/provider"
	"github.com/gantry-orchestrator/gantry/engine/provider/loopback"
	"github.com/gantry-orchestrator/gantry/engine/provider/sandbox"
	"github.com/gantry-orchestrator/gantry/model"
)

// machines is what a provider of this host can do.
type machines interface {
	provider.Provider
	provider.Stopper
	provider.Killer
	provider.Watcher
}

// openProvider opens the provider that the install chose.
func openProvider(ctx context.Context, p Places, i Install, log *slog.Logger, progress func(provider.Progress)) (machines, error) {
	c := provider.Config{
		StateDir: p.provider(), RunDir: p.Run, CacheDir: p.Cache, Base: i.Base,
		Init: machineInit, Swept: machineSwept, Log: log, Progress: progress,
	}
	switch i.Provider {
	case "sandbox":
		return sandbox.Open(ctx, c)
	case "loopback":
		return loopback.Open(ctx, c)
	}
	return nil, fmt.Errorf("provider %q: expected sandbox or loopback: %w", i.Provider, model.ErrInvalid)
}

// machineInit is the command line of a machine's first process.
func machineInit(m provider.Instance) []string {
	return []string{m.Binary, superviseCommand, "--machine", "--root", m.Root, "--run", m.Run}
}

// machineSwept removes the control groups of a machine's services.
func machineSwept(m provider.Instance) error {
	return supervise.Sweep(place{root: m.Root, run: m.Run}.supervisor())
}
