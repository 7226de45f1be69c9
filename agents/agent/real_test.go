package agent_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/gantry-orchestrator/gantry/agents/agent"
	"github.com/gantry-orchestrator/gantry/agents/supervise"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// The test binary is also the stage from which the supervisor's services are
// started.
func TestMain(m *testing.M) {
	supervise.RunStage()
	os.Exit(m.Run())
}

// greeter is a real service: it says its greeting when it starts and whenever
// it is told to read it again.
const greeter = `greet() { echo "greeting: $(cat "$1")"; }
trap 'greet "$1"' HUP
greet "$1"
while :; do sleep 1000 & wait $!; done`

func greeterCharm(in effect.Input) effect.Desired {
	conf := effect.File{
		ID: "file/greeting", Path: filepath.Join(in.Host.Config, "greeting"), Mode: 0o644,
		Content: effect.Content{{Text: in.Spec.Config["greeting"].(string)}},
	}
	return effect.Desired{
		Files:    []effect.File{conf},
		Volumes:  []effect.Volume{{ID: "volume/data", Path: filepath.Join(in.Host.Data, "data"), Mode: 0o700, Incarnation: "1"}},
		Services: []effect.Service{{ID: "service/greeter", Command: []string{"/bin/sh", "-c", greeter, "sh", conf.Path}, ReloadOn: []effect.ID{conf.ID}, Volume: "volume/data"}},
		Status:   model.Status{Level: model.Active},
	}
}

// realMachine is a machine with a supervisor of processes.
type realMachine struct {
	*machine
	client *supervise.Client
}

func newRealMachine(t *testing.T) *realMachine {
	dir, err := os.MkdirTemp("", "agt") // short: a socket's path is bounded
	if err != nil {
		t.Fatal(err)
	}
	m := &realMachine{machine: newMachine(t, greeterCharm)}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- supervise.Run(ctx, supervise.Config{
			Dir: dir, Jitter: func() float64 { return 0.5 }, Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
		})
	}()
	t.Cleanup(func() {
		m.kill()
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("supervisor: %v", err)
		}
		_ = os.RemoveAll(dir)
	})
	m.client = supervise.Dial(filepath.Join(dir, "run", "socket"))
	m.config = func(c *agent.Config) { c.Supervisor = m.client }
	return m
}

// pid is the service's process.
func (m *realMachine) pid() int {
	list, err := m.client.List(m.t.Context())
	if err != nil || len(list) != 1 {
		return 0
	}
	return list[0].PID
}

func (m *realMachine) settled(greeting string) {
	m.t.Helper()
	m.await(func() bool {
		in, r := m.controller.intent(web), m.controller.report(web)
		return r.Settled && r.Generation == in.Generation && m.controller.logged("greeting: "+greeting)
	})
}

// logged reports whether a line of the service has come.
func (c *controller) logged(text string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, l := range c.logs {
		if l.Text == text && l.Unit == web && l.Source == "service-greeter" && l.Machine == "m-0" {
			return true
		}
	}
	return false
}

func greeting(text string) func(*effect.Spec, *effect.Live) {
	return func(s *effect.Spec, _ *effect.Live) { s.Config = map[string]any{"greeting": text} }
}

func TestRealServicesOutliveTheAgent(t *testing.T) {
	m := newRealMachine(t)
	m.start()
	m.controller.set(web, greeting("hello"))
	m.settled("hello")
	pid := m.pid()

	m.controller.set(web, greeting("good day"))
	m.settled("good day")
	if now := m.pid(); now != pid {
		t.Fatalf("a reload made pid %d of %d", now, pid)
	}

	m.kill()
	m.controller.set(web, greeting("good night"))
	m.start()
	m.settled("good night")
	if now := m.pid(); now != pid {
		t.Fatalf("a new agent made pid %d of %d", now, pid)
	}

	m.controller.leave()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	m.await(func() bool { now := m.pid(); return now != 0 && now != pid })
	if err := os.Remove(filepath.Join(m.root, "var/lib/gantry/config/web-0/greeting")); err != nil {
		t.Fatal(err)
	}
	m.controller.come()
	m.await(func() bool {
		r := m.controller.report(web)
		return len(r.Services) == 1 && r.Services[0].Restarts == 1 && r.Services[0].PID == m.pid()
	})

	m.controller.set(web, func(s *effect.Spec, _ *effect.Live) { s.Life = model.Dead })
	m.await(func() bool { return m.controller.report(web).TornDown })
	if list, err := m.client.List(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("services after the teardown: %v (%v)", list, err)
	}
	m.controller.withdraw(web)
	m.await(func() bool { return strings.Join(left(t, m.root), "") == "" })
}
