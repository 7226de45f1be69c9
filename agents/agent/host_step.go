package agent

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/gantry-orchestrator/gantry/engine/provider"
	"github.com/gantry-orchestrator/gantry/model/provision"
)

// hostAction is one thing to do about one machine.
type hostAction struct {
	uuid      string
	make      *provision.Machine // create it, or start it again
	lost      string             // why a machine that was made does not run; said before it is started again
	destroy   bool
	forgotten bool               // nobody wants it, and nobody waits to hear that it is gone
	ready     *provider.Instance // it runs: say so
	says      string             // what is known to have been said once it is done
}

func (a hostAction) doing() string {
	switch {
	case a.destroy:
		return "destroy the machine"
	case a.make != nil:
		return "make the machine"
	default:
		return "report the machine"
	}
}

// next returns what to do, at most one thing a machine; none where all is as
// wanted and said.
func (s hostState) next(now time.Time) []hostAction {
	there := map[string]provider.Instance{}
	for _, i := range s.listed {
		there[i.UUID] = i
	}
	var actions []hostAction
	add := func(a hostAction) {
		if s.busy[a.uuid] == "" && !now.Before(s.failures[a.uuid].RetryAt) {
			actions = append(actions, a)
		}
	}
	known := map[string]bool{}
	for _, w := range s.wanted.Machines {
		known[w.UUID] = true
		i, made := there[w.UUID]
		if a, needed := s.about(w, i, made); needed {
			add(a)
		}
	}
	for _, i := range s.listed {
		if !known[i.UUID] && !s.wanted.Keep {
			add(hostAction{uuid: i.UUID, destroy: true, forgotten: true, says: "gone"})
		}
	}
	return actions
}

// about is what to do about a machine that the controller speaks of.
func (s hostState) about(w provision.Machine, i provider.Instance, made bool) (a hostAction, needed bool) {
	a.uuid = w.UUID
	switch {
	case dead(w):
		a.destroy, a.says = true, "gone"
		return a, made || s.said[w.UUID] != a.says
	case made && i.State == provider.Running:
		a.ready, a.says = &i, fmt.Sprintf("ready %v %d", i.Address, i.PID)
		return a, s.said[w.UUID] != a.says
	default:
		a.make = &w
		if made {
			a.lost = i.Message
			if a.lost == "" {
				a.lost = "it is " + i.State.String()
			}
		}
		return a, true
	}
}

// act carries an action out.
func (h *HostAgent) act(ctx context.Context, p provider.Provider, a hostAction) error {
	switch {
	case a.destroy:
		if err := p.Destroy(ctx, a.uuid); err != nil || a.forgotten {
			return err
		}
		return h.Machines.MachineGone(ctx, a.uuid, nil)
	case a.ready != nil:
		return h.Machines.MachineReady(ctx, a.uuid, a.ready.Address, h.Network(a.ready.Address))
	}
	if a.lost != "" {
		if err := h.Machines.MachineLost(ctx, a.uuid, a.lost); err != nil {
			// The machine matters more than that the controller hears of it.
			h.Logger.Warn("cannot tell that a machine died", "machine", a.uuid, "error", err)
		}
	}
	spec, err := h.spec(*a.make)
	if err != nil {
		return err
	}
	return h.narrate(ctx, a.uuid, func(ctx context.Context) error {
		_, err := p.Create(ctx, spec)
		return err
	})
}

// narrate reports every second what the provider is at, until work ends, and
// why that failed.
func (h *HostAgent) narrate(outer context.Context, uuid string, work func(context.Context) error) error {
	ctx, stop := context.WithCancel(outer)
	defer stop()
	began := time.Now()
	group, working := errgroup.WithContext(ctx)
	group.Go(func() error {
		defer stop()
		return work(working)
	})
	group.Go(func() error {
		for pause(working, time.Second) == nil {
			h.mu.Lock()
			text := strings.TrimSpace(h.phase.Phase + " " + h.phase.Detail)
			h.mu.Unlock()
			if text == "" {
				text = "making the machine"
			}
			text = fmt.Sprintf("%s ... %d s", text, int(time.Since(began).Seconds()))
			if err := h.Machines.MachineProgress(working, uuid, text); err != nil {
				h.Logger.Debug("cannot tell progress", "machine", uuid, "error", err)
			}
		}
		return nil
	})
	err := group.Wait()
	if err != nil && outer.Err() == nil {
		first, _, _ := strings.Cut(err.Error(), "\n")
		if told := h.Machines.MachineProgress(outer, uuid, "cannot be made, will be tried again: "+first); told != nil {
			h.Logger.Debug("cannot tell progress", "machine", uuid, "error", told)
		}
	}
	return err
}

func (h *HostAgent) spec(w provision.Machine) (provider.Spec, error) {
	files, err := h.Files(w)
	if err != nil {
		return provider.Spec{}, fmt.Errorf("prepare the files of machine %s: %w", w.UUID, err)
	}
	spec := provider.Spec{
		UUID: w.UUID, Model: w.Model, Name: w.Name, Base: w.Base, Constraints: w.Constraints, Packages: w.Packages,
		Software: w.Software, Hostname: hostname(w), Files: files,
	}
	for _, s := range w.Shared {
		spec.Shared = append(spec.Shared, provider.Mount{
			Host:   filepath.Join(h.SharedDir, string(w.Model), string(s.Application), s.Name),
			Inside: s.Path,
		})
	}
	return spec, nil
}

// hostname is at most 63 characters, the machine's number always among them.
func hostname(w provision.Machine) string {
	name := string(w.Model)
	return strings.Trim(name[:min(len(name), 48)], "-") + "-" + string(w.Name)
}
