package agent

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/gantry-orchestrator/gantry/agents/unit"
	"github.com/gantry-orchestrator/gantry/engine/provider"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/provision"
)

// HostConfig is what a host agent needs.
type HostConfig struct {
	Provider string // its name, which selects the machines
	Machines Machines
	// Network is that which the provider's machines share.
	Network func(netip.Addr) netip.Prefix
	// Files are what a machine's agent starts with: its token, the
	// controller's addresses and authority.
	Files func(provision.Machine) (map[string]provider.File, error)
	// SharedDir holds the directories that machines share.
	SharedDir string
	Jitter    func() float64
	Logger    *slog.Logger
}

// Machines is what a host agent asks of a controller: *client.Host.
type Machines interface {
	// Wanted calls send with all that is wanted, now and after every change,
	// until the controller is lost.
	Wanted(ctx context.Context, provider string, send func(provision.Wanted) error) error
	MachineReady(ctx context.Context, uuid string, address netip.Addr, network netip.Prefix) error
	MachineLost(ctx context.Context, uuid, reason string) error
	MachineGone(ctx context.Context, uuid string, leftovers []string) error
	MachineProgress(ctx context.Context, uuid, text string) error
}

// HostAgent keeps the machines of one provider as a controller wants them. It
// remembers nothing: what is wanted comes whole, what there is the provider
// lists.
type HostAgent struct {
	HostConfig
	events chan func()
	state  hostState

	mu    sync.Mutex
	phase provider.Progress // what the provider said last
}

// hostState is what is known; only the loop touches it.
type hostState struct {
	heard    bool // what is wanted is known
	wanted   provision.Wanted
	listed   []provider.Instance
	busy     map[string]string // by UUID: what is under way
	said     map[string]string // by UUID: what was last reported
	failures map[string]unit.Failure
	names    string // hash of the names that machines resolve
}

// NewHostAgent makes a host agent. Its Progress is to be the provider's.
func NewHostAgent(c HostConfig) *HostAgent {
	return &HostAgent{HostConfig: c, events: make(chan func(), 16), state: hostState{
		busy: map[string]string{}, said: map[string]string{}, failures: map[string]unit.Failure{},
	}}
}

// Progress takes what the provider is at, for provider.Config.
func (h *HostAgent) Progress(p provider.Progress) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.phase = p
}

// hostInterval is how often machines are looked at without a cause.
const hostInterval = 2 * time.Second

// Run keeps machines until ctx ends. It leaves them running.
func (h *HostAgent) Run(ctx context.Context, p provider.Provider) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return h.listen(ctx) })
	group.Go(func() error { return h.watch(ctx, p) })
	group.Go(func() error { return h.loop(ctx, p, group) })
	if err := group.Wait(); ctx.Err() == nil {
		return err
	}
	return nil
}

// listen takes what is wanted, again after every loss of the controller.
func (h *HostAgent) listen(ctx context.Context) error {
	for n := 1; ctx.Err() == nil; n++ {
		err := h.Machines.Wanted(ctx, h.Provider, func(w provision.Wanted) error {
			n = 1
			return h.post(ctx, func() { h.hear(w) })
		})
		if ctx.Err() != nil {
			break
		}
		wait := min(unit.Backoff(n), 15*time.Second)
		h.Logger.Warn("no controller tells which machines are wanted", slog.Any("error", err))
		if err := pause(ctx, wait/2+time.Duration(h.Jitter()*float64(wait/2))); err != nil {
			return err
		}
		if err := h.post(ctx, func() { clear(h.state.said) }); err != nil { // a new controller hears all again
			return err
		}
	}
	return ctx.Err()
}

func (h *HostAgent) hear(w provision.Wanted) { h.state.heard, h.state.wanted = true, w }

// watch looks again as soon as a machine dies, where the provider tells.
func (h *HostAgent) watch(ctx context.Context, p provider.Provider) error {
	w, ok := p.(provider.Watcher)
	if !ok {
		return nil
	}
	for n := 1; ctx.Err() == nil; n++ {
		err := w.Watch(ctx, func(string) { _ = h.post(ctx, func() {}) })
		h.Logger.Debug("the provider's watch ended", slog.Any("error", err))
		if err := pause(ctx, unit.Backoff(n)); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// loop lists, decides and has workers act.
func (h *HostAgent) loop(ctx context.Context, p provider.Provider, group *errgroup.Group) error {
	tick := time.NewTicker(hostInterval)
	defer tick.Stop()
	for ctx.Err() == nil {
		if h.state.heard {
			listed, err := p.List(ctx)
			if err != nil {
				h.Logger.Warn("cannot list machines", slog.Any("error", err))
			} else {
				h.state.listed = listed
				h.advance(ctx, p, group)
			}
		}
		select {
		case <-ctx.Done():
		case f := <-h.events:
			f()
		case <-tick.C:
		}
	}
	return ctx.Err()
}

func (h *HostAgent) post(ctx context.Context, f func()) error {
	select {
	case h.events <- f:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// advance begins what is to be done next.
func (h *HostAgent) advance(ctx context.Context, p provider.Provider, group *errgroup.Group) {
	for _, a := range h.state.next(time.Now()) {
		h.state.busy[a.uuid] = a.doing()
		group.Go(func() error {
			err := h.act(ctx, p, a)
			return h.post(ctx, func() {
				delete(h.state.busy, a.uuid)
				h.ended(a, err)
			})
		})
	}
	h.resolve(ctx, p)
}

func (h *HostAgent) ended(a hostAction, err error) {
	if err == nil {
		delete(h.state.failures, a.uuid)
		h.state.said[a.uuid] = a.says
		return
	}
	times := h.state.failures[a.uuid].Times + 1
	h.state.failures[a.uuid] = unit.Failure{Text: err.Error(), Times: times, RetryAt: time.Now().Add(unit.Backoff(times))}
	h.Logger.Warn("cannot "+a.doing()+", will try again", slog.String("machine", a.uuid), slog.Any("error", err))
}

// resolve tells the provider the names that machines are to resolve.
func (h *HostAgent) resolve(ctx context.Context, p provider.Provider) {
	hoster, ok := p.(provider.Hoster)
	names := fmt.Sprint(h.state.wanted.Names)
	if !ok || names == h.state.names {
		return
	}
	var entries []provider.HostEntry
	for _, n := range h.state.wanted.Names {
		address, err := netip.ParseAddr(n.Address)
		if err != nil {
			continue // it has no address yet
		}
		entries = append(entries, provider.HostEntry{Name: n.Name, Address: address})
	}
	if err := hoster.Hosts(ctx, entries); err != nil {
		h.Logger.Warn("cannot write the names of machines", slog.Any("error", err))
		return
	}
	h.state.names = names
}

// dead reports whether a machine is to go.
func dead(w provision.Machine) bool { return w.Life == model.Dead }
