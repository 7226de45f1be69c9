package agent

import (
	"context"
	"log/slog"
	"maps"
	"slices"

	"github.com/gantry-orchestrator/gantry/agents/perform"
	"github.com/gantry-orchestrator/gantry/agents/unit"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// look looks at what is on the host of what is wanted or applied, services
// excepted, of which the supervisor tells.
func (u *unitLoop) look(ctx context.Context, want effect.Desired) (seen unit.Observed, began int, err error) {
	effects := want.Effects()
	err = u.call(ctx, func() error {
		began = u.steps
		for _, a := range u.state.Journal.Applied {
			effects = append(effects, a.Effect)
		}
		return nil
	})
	if err != nil {
		return seen, began, err
	}
	seen = unit.Observed{Packages: map[string]string{}, Software: map[string]bool{}, Files: map[effect.ID]string{}, Volumes: map[effect.ID]string{}}
	for _, e := range slices.Backward(effects) { // what is wanted says more than what was
		if err := u.lookAt(ctx, e, &seen); err != nil {
			return seen, began, err
		}
	}
	return seen, began, nil
}

func (u *unitLoop) lookAt(ctx context.Context, e effect.Effect, seen *unit.Observed) (err error) {
	switch {
	case e.File != nil:
		seen.Files[e.File.ID], err = perform.FileDigest(e.File.Path)
	case e.Volume != nil:
		seen.Volumes[e.Volume.ID], err = perform.VolumeState(e.Volume.Path)
	case e.Software != nil:
		if u.agent.Software.Has(e.Software.Directory()) {
			seen.Software[e.Software.Directory()] = true
		}
	case e.Package != nil && u.agent.Packages != nil && seen.Packages[e.Package.Name] == "":
		var version string
		version, err = u.agent.Packages.Version(ctx, e.Package.Name)
		if version != "" {
			seen.Packages[e.Package.Name] = version
		}
	}
	return err
}

// take takes what was seen into the state. Of a look during which a step ended
// only what was not known counts: the rest may be as it was before the step,
// and whoever did that looks again.
func (u *unitLoop) take(seen unit.Observed, began int) {
	o := &u.state.Observed
	if !o.Ready || u.steps == began {
		o.Packages, o.Software, o.Files, o.Volumes = seen.Packages, seen.Software, seen.Files, seen.Volumes
		o.Ready = true
		return
	}
	maps.Copy(seen.Files, o.Files)
	maps.Copy(seen.Volumes, o.Volumes)
	maps.Copy(seen.Packages, o.Packages)
	maps.Copy(seen.Software, o.Software)
	o.Files, o.Volumes, o.Packages, o.Software = seen.Files, seen.Volumes, seen.Packages, seen.Software
}

// made takes what a step made as seen, until the host is looked at again.
func (u *unitLoop) made(ended unit.Ended) {
	o, s := &u.state.Observed, ended.Step
	switch {
	case !o.Ready:
	case s.Effect.Volume != nil && (s.Kind == effect.Stamp || s.Kind == effect.Wipe):
		o.Volumes[s.ID] = effect.VolumeStamped + s.Effect.Volume.Incarnation
	case s.Effect.File != nil && ended.Digest != "":
		o.Files[s.ID] = ended.Digest
	}
}

// watchHost looks at the host without a cause: at the start, and for drift.
func (u *unitLoop) watchHost(ctx context.Context) {
	want := u.state.Answer.Desired
	u.group.Go(func() error {
		if u.waitForServices(ctx) != nil {
			return nil
		}
		seen, began, err := u.look(ctx, want)
		if err != nil {
			if ctx.Err() == nil {
				u.log.Warn("cannot look at the host", slog.Any("error", err))
			}
			return nil
		}
		u.post(func() { u.take(seen, began) })
		return nil
	})
}

// waitForServices has the supervisor asked before the first look counts: a
// service that runs must not pass for one that does not.
func (u *unitLoop) waitForServices(ctx context.Context) error {
	for n := 1; ; n++ {
		u.agent.processes.mu.Lock()
		known := u.agent.processes.of != nil
		u.agent.processes.mu.Unlock()
		if known {
			return nil
		}
		if err := u.agent.listServices(ctx); err == nil {
			return nil
		}
		if err := pause(ctx, unit.Backoff(n)); err != nil {
			return err
		}
	}
}

// packageElsewhere reports whether another unit of the machine has a package.
func (u *unitLoop) packageElsewhere(name string) bool {
	return u.elsewhere(func(other *unitLoop) []string { return other.packages }, name)
}

// softwareElsewhere does so of a software, by its directory.
func (u *unitLoop) softwareElsewhere(directory string) bool {
	return u.elsewhere(func(other *unitLoop) []string { return other.software }, directory)
}

func (u *unitLoop) elsewhere(has func(*unitLoop) []string, name string) bool {
	for _, other := range u.agent.all() {
		if other == u {
			continue
		}
		other.mu.Lock()
		found := slices.Contains(has(other), name)
		other.mu.Unlock()
		if found {
			return true
		}
	}
	return false
}
