package controller

import (
	"context"
	"log/slog"
	"net/netip"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/gantry-orchestrator/gantry/engine/api"
	"github.com/gantry-orchestrator/gantry/engine/client"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/charm"
	"github.com/gantry-orchestrator/gantry/model/effect"
	"github.com/gantry-orchestrator/gantry/model/operator"
	"github.com/gantry-orchestrator/gantry/model/provision"
)

// patience bounds every wait of these tests.
const patience = 30 * time.Second

// world is a controller with its operator and a host agent that makes every
// machine at once, with a fake agent on it.
type world struct {
	t     *testing.T
	dir   string
	ctx   context.Context
	ready Ready
	admin *client.Client
	end   func() error
	pulse *effect.Pulse // that agents tell as they begin

	fakes  errgroup.Group
	mu     sync.Mutex
	agents map[string]*fakeAgent // by machine UUID
}

func artifactOf(t *testing.T, hash, text string) api.Artifact {
	t.Helper()
	c, err := charm.Parse("charm.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return api.Artifact{Hash: hash, Location: "builtin:" + string(c.Meta.Name), Declared: *c}
}

func builtIn(t *testing.T) []api.Artifact {
	return []api.Artifact{
		artifactOf(t, "h-db", `
name: db
summary: A database.
description: Keeps data.
type: charm
provides:
  database: {interface: sql}
peers:
  members: {interface: db-peers}
config:
  options:
    size: {type: int, default: 1, description: How large.}
actions:
  backup:
    description: Copies the data.
`),
		artifactOf(t, "h-web", `
name: web
summary: A site.
description: Serves pages.
type: charm
requires:
  database: {interface: sql}
`),
	}
}

// begin runs a controller on a directory, and its fakes.
func begin(t *testing.T, dir string) *world {
	t.Helper()
	w := beginAlone(t, dir)
	w.fakes.Go(func() error { return w.host(w.ctx, &w.fakes) })
	return w
}

// beginAlone runs a controller whose host agent makes no machines.
func beginAlone(t *testing.T, dir string, with ...func(*Config)) *world {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	w := &world{t: t, dir: dir, ctx: ctx, agents: map[string]*fakeAgent{}}
	ready := make(chan Ready, 1)
	var g errgroup.Group
	config := Config{
		Dir: dir, Listen: "127.0.0.1:0", Provider: "fake", Version: "test", BuiltIn: builtIn(t),
		Log: slog.New(slog.NewTextHandler(t.Output(), nil)), Ready: func(r Ready) { ready <- r },
	}
	for _, change := range with {
		change(&config)
	}
	g.Go(func() error { return Run(ctx, config) })
	ended := make(chan error, 1)
	w.fakes.Go(func() error { ended <- g.Wait(); return nil })
	select {
	case w.ready = <-ready:
	case err := <-ended:
		t.Fatalf("the controller ended before it was ready: %v", err)
	case <-time.After(patience):
		t.Fatal("the controller was not ready in time")
	}
	w.admin = w.dial(w.ready.Admin)
	w.end = sync.OnceValue(func() error {
		cancel()
		err := <-ended
		_ = w.fakes.Wait()
		return err
	})
	t.Cleanup(func() {
		if err := w.end(); err != nil {
			t.Errorf("the controller ended with %v", err)
		}
	})
	return w
}

func (w *world) dial(path string) *client.Client {
	w.t.Helper()
	c, err := client.Load(path)
	if err != nil {
		w.t.Fatal(err)
	}
	conn, err := client.Dial(c)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// host makes machines: each has an agent as soon as it is wanted, and is gone
// as soon as it is dead.
func (w *world) host(ctx context.Context, g *errgroup.Group) error {
	c, err := client.Load(w.ready.Host)
	if err != nil {
		return err
	}
	h, err := client.DialHost(c)
	if err != nil {
		return err
	}
	defer h.Close()
	return h.Wanted(ctx, "fake", func(wanted provision.Wanted) error {
		for i, m := range wanted.Machines {
			if m.Life == model.Dead {
				if err := h.MachineGone(ctx, m.UUID, nil); err != nil {
					return err
				}
				continue
			}
			w.mu.Lock()
			_, exists := w.agents[m.UUID]
			w.mu.Unlock()
			if exists {
				continue
			}
			address := netip.AddrFrom4([4]byte{10, 0, 0, byte(10 + i)})
			if err := h.MachineReady(ctx, m.UUID, address, netip.MustParsePrefix("10.0.0.0/24")); err != nil {
				return err
			}
			identity := w.identity(ctx, m)
			if identity == nil {
				continue
			}
			a := newFakeAgent(w, m.UUID, *identity)
			w.mu.Lock()
			w.agents[m.UUID] = a
			w.mu.Unlock()
			g.Go(func() error { return a.run(ctx) })
		}
		return nil
	})
}

// identity joins, or takes the identity of before a restart.
func (w *world) identity(ctx context.Context, m provision.Machine) *client.Context {
	path := w.dir + "/agent-" + m.UUID + ".json"
	if m.Token == "" {
		c, err := client.Load(path)
		if err != nil {
			w.t.Errorf("machine %s: %v", m.UUID, err)
			return nil
		}
		c.Addresses = w.ready.Addresses
		return &c
	}
	c, err := client.Join(ctx, m.Token)
	if err == nil {
		err = c.Save(path)
	}
	if err != nil {
		if ctx.Err() == nil {
			w.t.Errorf("machine %s joins: %v", m.UUID, err)
		}
		return nil
	}
	return &c
}

// converge waits until the model has converged at its revision.
func (w *world) converge(m model.ModelName) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, patience)
	defer cancel()
	var last operator.Progress
	err := w.admin.Wait(ctx, m, 0, func(p operator.Progress) error { last = p; return nil })
	if err != nil || !last.Converged {
		w.t.Fatalf("model %s did not converge: %v, %+v", m, err, last)
	}
}

func (w *world) status(m model.ModelName) operator.Status {
	w.t.Helper()
	s, err := w.admin.Status(w.ctx, m)
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// must is for answers that a test needs to go on.
func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// agentOf is the fake agent of a unit's machine.
func (w *world) agentOf(m model.ModelName, u string) *fakeAgent {
	w.t.Helper()
	s := w.status(m)
	for _, a := range s.Applications {
		for _, unit := range a.Units {
			if unit.Name.String() != u {
				continue
			}
			for _, machine := range s.Machines {
				if machine.Name == unit.Machine {
					w.mu.Lock()
					defer w.mu.Unlock()
					return w.agents[machine.UUID]
				}
			}
		}
	}
	w.t.Fatalf("no agent of %s", u)
	return nil
}
