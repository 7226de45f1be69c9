// Package controller is the charm of the controllers that run on machines. The
// process is gantry's own; the charm says where it runs, has it join before
// the unit counts as settled, and leave before it stops.
package controller

import (
	"embed"
	"path"
	"time"

	"github.com/gantry-orchestrator/gantry/charms/sdk"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// Files holds the charm's metadata.
//
//go:embed charm.yaml
var Files embed.FS

// Charm answers for one controller.
type Charm struct{}

const (
	service effect.ID      = "service/controller"
	volume  effect.ID      = "volume/controller"
	member  effect.ID      = "task/member"
	role    effect.ProbeID = "role"
	taking  effect.ProbeID = "takes-part"
)

// Reconcile implements sdk.Charm.
func (Charm) Reconcile(in effect.Input) effect.Desired {
	var b sdk.Builder
	address := sdk.HostPort(in, sdk.Int(in, "port"))
	b.Volume(effect.Volume{ID: volume, Path: dir(in), Mode: 0o700, Incarnation: in.Spec.Unit.String()})
	// A newer gantry is another revision of the charm: the process is replaced.
	build := b.File(effect.File{Path: path.Join(in.Host.Config, "build"), Content: sdk.Text(in.Spec.Charm.Revision, "\n")})
	b.Probe(effect.Probe{ID: role, File: roleFile(in), Interval: time.Second})
	b.Probe(effect.Probe{ID: taking, File: roleFile(in) + ".member", Interval: 500 * time.Millisecond})
	now, _ := sdk.Fact[string](in, role)
	uses := []effect.ID{build, volume}
	if sdk.Bool(in, "replicated-history") {
		// Before the process: it takes the sibling that needs this at its start.
		uses = append(uses, b.Package("libdqlite0"))
	}
	b.Service(effect.Service{
		ID: service, Volume: volume, Uses: uses, RestartOn: []effect.ID{build},
		Command: append(command(in), "--listen", address, "--role-file", roleFile(in)),
		Health:  taking, Window: 2 * time.Second, StopTimeout: 20 * time.Second,
		Turn: &effect.Turn{Name: "restart", Limit: 1, Rank: rank(now), Clear: taking},
	})
	b.Task(effect.Task{
		ID: member, Key: in.Spec.Unit.String(), After: []effect.ID{service}, Idempotent: true, Timeout: 3 * time.Minute,
		Run:  effect.Exec{Command: append(command(in), "--await", "--role-file", roleFile(in))},
		Undo: &effect.Exec{Command: append(command(in), "--leave")},
	})
	b.Port(sdk.Int(in, "port"))
	for _, r := range sdk.Relations(in, "controllers") {
		b.Publish(r.ID, map[string]string{"address": address}, member)
	}
	return b.Done(status(now, address))
}

// command is gantry in the role of a controller.
func command(in effect.Input) []string {
	return []string{in.Host.Program[0], "controller", "--member", dir(in), "--root", in.Host.Root}
}

func dir(in effect.Input) string { return path.Join(in.Host.Data, "controller") }

func roleFile(in effect.Input) string { return path.Join(in.Host.Run, "role") }

// rank has who leads be the last to restart, so that leadership moves once.
func rank(now string) int {
	if now == "leader" {
		return 1
	}
	return 0
}

func status(now, address string) model.Status {
	switch now {
	case "leader", "follower":
		return sdk.Active("%s at %s", now, address)
	case "removed":
		return sdk.Blocked("it was removed from the controllers: gantry remove-unit, then gantry enable-ha")
	case "alone":
		return sdk.Waiting("no controller leads")
	default:
		return sdk.Waiting("catching up at %s", address)
	}
}
