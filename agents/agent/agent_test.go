package agent_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gantry-orchestrator/gantry/agents/agent"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

var web = model.UnitName{Application: "web", Number: 0}

// charm is a charm in this process.
type charm func(effect.Input) effect.Desired

func (c charm) Reconcile(_ context.Context, _ effect.Charm, in effect.Input) (effect.Desired, error) {
	return c(in), nil
}

func (c charm) Call(_ context.Context, _ effect.Charm, _ string, call effect.Invocation) (string, error) {
	return "called " + call.Name, nil
}

func (c charm) RunAction(_ context.Context, _ effect.Charm, _ string, action effect.Invocation) (map[string]string, error) {
	return map[string]string{"ran": action.Name, "unit": action.Input.Spec.Unit.String()}, nil
}

// machine is one machine under test.
type machine struct {
	t          *testing.T
	root       string
	controller *controller
	supervisor *supervisor
	charm      charm
	config     func(*agent.Config)
	stop       context.CancelFunc
	ended      chan error
}

func newMachine(t *testing.T, c charm) *machine {
	m := &machine{t: t, root: t.TempDir(), controller: newController(), supervisor: newSupervisor(), charm: c}
	t.Cleanup(m.kill)
	return m
}

// start starts the agent.
func (m *machine) start() {
	ctx, cancel := context.WithCancel(context.Background())
	m.stop, m.ended = cancel, make(chan error, 1)
	config := agent.Config{
		Machine: "m-0", Dirs: agent.Below(m.root), Controller: m.controller, Supervisor: m.supervisor, Charms: m.charm,
		Program:   func(effect.Charm) []string { return []string{"/bin/program"} },
		Facts:     func() effect.HostFacts { return effect.HostFacts{Hostname: "m-0"} },
		Superuser: os.Geteuid() == 0, Jitter: func() float64 { return 0.5 },
		Logger: slog.New(slog.NewTextHandler(m.t.Output(), nil)),
	}
	if m.config != nil {
		m.config(&config)
	}
	go func() { m.ended <- agent.Run(ctx, config) }()
}

// kill ends the agent where it stands.
func (m *machine) kill() {
	if m.stop == nil {
		return
	}
	m.stop()
	if err := <-m.ended; err != nil {
		m.t.Errorf("agent: %v", err)
	}
	m.stop = nil
}

// settle lets virtual time pass until the unit has settled.
func (m *machine) settle(unit model.UnitName) effect.Report {
	m.t.Helper()
	for range 300 {
		time.Sleep(time.Second)
		synctest.Wait()
		in := m.controller.intent(unit)
		if r := m.controller.report(unit); r.Settled && r.Generation == in.Generation && r.Serial == in.Live.Serial {
			return r
		}
	}
	m.t.Fatalf("unit %v does not settle: %+v", unit, m.controller.report(unit))
	return effect.Report{}
}

func (c *controller) intent(unit model.UnitName) effect.Intent {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.intents[unit]
}

// webCharm serves one file, reloads on its change, restarts on a change of port.
func webCharm(in effect.Input) effect.Desired {
	conf := effect.File{
		ID: "file/web.conf", Path: filepath.Join(in.Host.Config, "web.conf"), Mode: 0o640,
		Content: effect.Content{{Text: fmt.Sprintf("greeting=%v\n", in.Spec.Config["greeting"])}},
	}
	return effect.Desired{
		Files: []effect.File{conf},
		Services: []effect.Service{{
			ID: "service/web", Command: []string{"/bin/web", fmt.Sprintf("--port=%v", in.Spec.Config["port"])},
			Uses: []effect.ID{conf.ID}, ReloadOn: []effect.ID{conf.ID}, Turn: &effect.Turn{Name: "restart"},
		}},
		Status: model.Status{Level: model.Active},
	}
}

func configure(greeting string, port int64) func(*effect.Spec, *effect.Live) {
	return func(s *effect.Spec, _ *effect.Live) {
		s.Config = map[string]any{"greeting": greeting, "port": port}
	}
}

func (m *machine) conf() string {
	b, err := os.ReadFile(filepath.Join(m.root, "var/lib/gantry/config/web-0/web.conf"))
	if err != nil {
		return err.Error()
	}
	return string(b)
}

func TestAUnitThatIsDeployedRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMachine(t, webCharm)
		m.start()
		m.controller.set(web, configure("hello", 80))
		r := m.settle(web)
		if got := m.conf(); got != "greeting=hello\n" {
			t.Errorf("file = %q", got)
		}
		if p := m.supervisor.process("web-0/service/web"); p.PID == 0 || len(r.Services) != 1 || r.Services[0].PID != p.PID {
			t.Errorf("process %+v, report %+v", p, r)
		}
		if r.Status.Level != model.Active {
			t.Errorf("status = %v", r.Status)
		}
	})
}

func TestAFileThatChangesReloadsWithoutRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMachine(t, webCharm)
		m.start()
		m.controller.set(web, configure("hello", 80))
		m.settle(web)
		pid := m.supervisor.process("web-0/service/web").PID
		m.supervisor.did()
		m.controller.set(web, configure("good day", 80))
		m.settle(web)
		if got := m.conf(); got != "greeting=good day\n" {
			t.Errorf("file = %q", got)
		}
		if did := m.supervisor.did(); !slices.Equal(did, []string{"reload web-0/service/web"}) {
			t.Errorf("supervisor was asked to %q", did)
		}
		if now := m.supervisor.process("web-0/service/web").PID; now != pid {
			t.Errorf("pid %d became %d", pid, now)
		}
	})
}
