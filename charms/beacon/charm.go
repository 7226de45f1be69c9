// Package beacon is the smallest charm that still has everything a charm may
// have: configuration, peers, a relation, an action, a program of its own and
// a twin. It is for trying, measuring and learning; docs/tutorial-charm.md
// builds it.
package beacon

import (
	"context"
	"embed"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/gantry-orchestrator/gantry/charms/beacon/internal/program"
	"github.com/gantry-orchestrator/gantry/charms/sdk"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// Files holds the charm's metadata.
//
//go:embed charm.yaml
var Files embed.FS

// Charm answers for one beacon.
type Charm struct{}

// Reconcile implements sdk.Charm.
func (Charm) Reconcile(in effect.Input) effect.Desired {
	var b sdk.Builder
	message := b.File(effect.File{
		Path:    path.Join(in.Host.Config, "message"),
		Content: sdk.Text(sdk.String(in, "message"), "\n"),
	})
	light := b.Service(effect.Service{
		ID:       "service/light",
		Command:  command(in),
		ReloadOn: []effect.ID{message},
	})
	said := map[string]string{"message": sdk.String(in, "message"), "address": in.Spec.Address}
	for _, r := range slices.Concat(sdk.Relations(in, "fleet"), sdk.Relations(in, "light")) {
		b.Publish(r.ID, said, light)
	}
	return b.Done(sdk.Active("%s", strings.Join(seen(in), ", ")))
}

// command is the beacon's process. The one that never beats ignores the
// reload that a new message brings.
func command(in effect.Input) []string {
	if every := sdk.Int(in, "interval"); every > 0 {
		return append(slices.Clone(in.Host.Program), fmt.Sprintf("%ds", every), path.Join(in.Host.Config, "message"), beatFile(in))
	}
	return []string{"/bin/sh", "-c", "trap '' HUP; exec sleep infinity"}
}

func beatFile(in effect.Input) string { return path.Join(in.Host.Run, "beat") }

// seen says what the beacon has heard of others.
func seen(in effect.Input) []string {
	var all []string
	if peers := sdk.Peers(in); len(peers) > 0 {
		all = append(all, fmt.Sprintf("%d of %d up", 1+lit(peers), in.Spec.Planned))
	}
	for _, r := range sdk.Relations(in, "watch") {
		all = append(all, fmt.Sprintf("sees %d of %s", lit(sdk.Present(r)), r.Remote))
	}
	return all
}

func lit(units []effect.Remote) int {
	return len(slices.DeleteFunc(slices.Clone(units), func(u effect.Remote) bool { return u.Bag["message"] == "" }))
}

// RunAction implements sdk.ActionRunner.
func (Charm) RunAction(_ context.Context, ping effect.Invocation) (map[string]string, error) {
	beat, err := program.LastBeat(beatFile(ping.Input))
	return map[string]string{"beat": beat}, err
}

// Run implements sdk.Program.
func (Charm) Run(ctx context.Context, args []string) error { return program.Run(ctx, args) }
