package host

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"sync"
	"time"

	"github.com/gantry-orchestrator/gantry/charms/sdk/plugin"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// Config is what New needs.
type Config struct {
	// Resolve finds the command that starts a charm's process, the first word
	// an absolute path; for built-in charms gantry itself.
	Resolve func(effect.Charm) (command []string, err error)
	// Dir is where processes make their sockets; it is created. It must be
	// short (a socket's path has at most 107 bytes) and reachable by the user
	// "nobody" where the agent is root.
	Dir string
	// Idle is how long a process may be without a question; 5 minutes by
	// default.
	Idle time.Duration
	Log  *slog.Logger
}

// Host runs charms' code. It is safe for use by several goroutines.
type Host struct {
	cfg     Config
	confine confinement

	// asking holds one place for each question under way: a question's second
	// counts from when it is asked, not from when it began to queue.
	asking chan struct{}

	mu     sync.Mutex
	pool   map[effect.Charm]*slot
	closed bool
}

// What a Unix socket's path may have (unix(7)), and what go-plugin adds to the
// directory: two names with up to ten digits each.
const (
	maxSocketPath = 107
	maxDir        = maxSocketPath - len("/plugin-dir0123456789/plugin0123456789")
)

// New prepares a host; no process is started yet. What of the confinement
// this machine does not offer is logged once.
func New(cfg Config) (*Host, error) {
	if cfg.Idle == 0 {
		cfg.Idle = 5 * time.Minute
	}
	if len(cfg.Dir) > maxDir {
		return nil, fmt.Errorf("charms' sockets in %s would have paths of over %d bytes, which the kernel refuses: give a state directory with a shorter path: %w",
			cfg.Dir, maxSocketPath, model.ErrInvalid)
	}
	if err := os.MkdirAll(cfg.Dir, 0o711); err != nil {
		return nil, fmt.Errorf("make the directory for charms' sockets: %w", err)
	}
	h := &Host{cfg: cfg, confine: detect(), pool: map[effect.Charm]*slot{}, asking: make(chan struct{}, 4*runtime.NumCPU())}
	if lacks := h.confine.lacks(); len(lacks) > 0 {
		cfg.Log.Warn("charms are not fully confined here", "lacks", lacks)
	}
	return h, nil
}

// Lacks says what of the confinement this machine does not offer, and why.
func (h *Host) Lacks() []string { return h.confine.lacks() }

// Reconcile asks a charm what there should be. A panic, a missed deadline and
// a crash come back as an error that names the unit and the charm; the process
// is replaced where it has to be.
func (h *Host) Reconcile(ctx context.Context, c effect.Charm, in effect.Input) (effect.Desired, error) {
	want, err := h.reconcile(ctx, c, in)
	if err != nil {
		return effect.Desired{}, fmt.Errorf("reconcile %s with charm %s: %w", in.Spec.Unit, c.Name, err)
	}
	return want, nil
}

// reconcile asks a second time where the process ended under the question:
// another unit's question may have been what it fell over.
func (h *Host) reconcile(ctx context.Context, c effect.Charm, in effect.Input) (effect.Desired, error) {
	s, err := h.slot(c)
	if err != nil {
		return effect.Desired{}, err
	}
	select {
	case h.asking <- struct{}{}:
		defer func() { <-h.asking }()
	case <-ctx.Done():
		return effect.Desired{}, ctx.Err()
	}
	var want effect.Desired
	for range 2 {
		var client *plugin.Client
		client, err = s.acquire(time.Now())
		if err != nil {
			return effect.Desired{}, err
		}
		want, err = client.Reconcile(ctx, in)
		s.release(client, err, time.Now())
		if !errors.Is(err, model.ErrUnavailable) {
			break
		}
	}
	return want, err
}

func (h *Host) slot(c effect.Charm) (*slot, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil, fmt.Errorf("the host of charms is closed: %w", model.ErrUnavailable)
	}
	s, ok := h.pool[c]
	if !ok {
		s = &slot{launch: func() (*plugin.Client, error) { return h.launch(c) }}
		h.pool[c] = s
	}
	return s, nil
}

func (h *Host) launch(c effect.Charm) (*plugin.Client, error) {
	command, err := h.cfg.Resolve(c)
	if err != nil {
		return nil, err
	}
	h.cfg.Log.Debug("starting a charm's process", "charm", c.Name, "revision", c.Revision)
	return plugin.Connect(plugin.ConnectConfig{
		Command:   command,
		SocketDir: h.cfg.Dir,
		Group:     h.confine.group(),
		Stderr:    &lineLog{log: h.cfg.Log, charm: c.Name},
		Start:     h.confine.start,
	})
}

// Run stops idle processes until ctx is done, then all.
func (h *Host) Run(ctx context.Context) error {
	tick := time.NewTicker(h.cfg.Idle / 4)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			h.Close()
			return ctx.Err()
		case now := <-tick.C:
			h.stopIdle(now)
		}
	}
}

func (h *Host) stopIdle(now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for c, s := range h.pool {
		if s.stopIfIdle(now.Add(-h.cfg.Idle)) {
			delete(h.pool, c)
		}
	}
}

// Close stops every process and refuses further questions.
func (h *Host) Close() {
	h.mu.Lock()
	pool := h.pool
	h.pool, h.closed = nil, true
	h.mu.Unlock()
	for _, s := range pool {
		s.stop()
	}
}
