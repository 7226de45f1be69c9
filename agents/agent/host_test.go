package agent_test

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gantry-orchestrator/gantry/agents/agent"
	"github.com/gantry-orchestrator/gantry/engine/provider"
	"github.com/gantry-orchestrator/gantry/engine/provider/fake"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/provision"
)

// machines is a controller that wants machines.
type machines struct {
	mu      sync.Mutex
	changed chan provision.Wanted
	heard   []string
}

func (m *machines) Wanted(ctx context.Context, _ string, send func(provision.Wanted) error) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case w := <-m.changed:
			if err := send(w); err != nil {
				return err
			}
		}
	}
}

func (m *machines) hear(words ...string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.heard = append(m.heard, strings.Join(words, " "))
	return nil
}

// told returns what was told since it was last asked.
func (m *machines) told() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	heard := m.heard
	m.heard = nil
	return heard
}

func (m *machines) MachineReady(_ context.Context, uuid string, _ netip.Addr, network netip.Prefix) error {
	return m.hear("ready", uuid, network.String())
}

func (m *machines) MachineLost(_ context.Context, uuid, _ string) error { return m.hear("lost", uuid) }

func (m *machines) MachineGone(_ context.Context, uuid string, _ []string) error {
	return m.hear("gone", uuid)
}

func (m *machines) MachineProgress(_ context.Context, uuid, text string) error {
	return m.hear("progress", uuid, text)
}

func host(t *testing.T, p *fake.Provider) *machines {
	m := &machines{changed: make(chan provision.Wanted, 8)}
	h := agent.NewHostAgent(agent.HostConfig{
		Provider: "fake", Machines: m,
		Network:   func(netip.Addr) netip.Prefix { return netip.MustParsePrefix("10.0.0.0/8") },
		Files:     func(provision.Machine) (map[string]provider.File, error) { return nil, nil },
		SharedDir: "/shared", Jitter: func() float64 { return 0.5 }, Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
	h.Progress(provider.Progress{Phase: "building", Detail: "package layer postgresql-15"})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- h.Run(ctx, p) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("host agent: %v", err)
		}
	})
	return m
}

func wants(life model.Life) provision.Wanted {
	return provision.Wanted{Machines: []provision.Machine{{UUID: "u-0", Model: "leop", Name: "0", Life: life}}}
}

func TestAHostAgentMakesRestartsAndDestroysMachines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := fake.Open(&fake.Host{}, "one")
		stray, err := p.Create(t.Context(), provider.Spec{UUID: "u-9", Model: "gone", Name: "9", Hostname: "gone-9"})
		if err != nil {
			t.Fatal(err)
		}
		m := host(t, p)
		after := func(what string, want ...string) {
			t.Helper()
			time.Sleep(10 * time.Second)
			synctest.Wait()
			if got := m.told(); !slices.Equal(got, want) {
				t.Errorf("%s: told %q, want %q", what, got, want)
			}
		}
		after("before it knows what is wanted it touches nothing")
		if list, err := p.List(t.Context()); err != nil || len(list) != 1 {
			t.Fatalf("machines %v (%v), want %s alone", list, err, stray.UUID)
		}
		m.changed <- wants(model.Alive)
		after("a machine that is missing is made", "ready u-0 10.0.0.0/8")
		if list, err := p.List(t.Context()); err != nil || len(list) != 1 || list[0].UUID != "u-0" {
			t.Errorf("a machine that nobody wants is destroyed: %v (%v)", list, err)
		}
		if err := p.Kill(t.Context(), "u-0"); err != nil {
			t.Fatal(err)
		}
		after("a machine that died is started again", "lost u-0", "ready u-0 10.0.0.0/8")
		m.changed <- wants(model.Dead)
		after("a machine that is to go is destroyed", "gone u-0")
	})
}

func TestAHostAgentTriesAgainAndSaysWhatItIsAt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := fake.Open(&fake.Host{}, "one")
		tries := 0
		p.Fail = func(step, _ string) error {
			if step != "start" {
				return nil
			}
			time.Sleep(1500 * time.Millisecond)
			if tries++; tries < 3 {
				return errors.New("no space")
			}
			return nil
		}
		m := host(t, p)
		m.changed <- wants(model.Alive)
		time.Sleep(time.Minute)
		synctest.Wait()
		told := m.told()
		if tries != 3 || !slices.Contains(told, "ready u-0 10.0.0.0/8") {
			t.Errorf("after %d tries told %q", tries, told)
		}
		if !slices.Contains(told, "progress u-0 building package layer postgresql-15 ... 1 s") {
			t.Errorf("no progress in %q", told)
		}
	})
}
