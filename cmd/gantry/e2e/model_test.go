package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

// workspace is one model of an install.
type workspace struct {
	in   *install
	name string
}

// model makes a model.
func (in *install) model(t testing.TB, name string) workspace {
	t.Helper()
	in.gantry(t, "add-model", name)
	return workspace{in: in, name: name}
}

// of adds the flag that selects the model.
func (w workspace) of(args ...string) []string { return append([]string{"-m", w.name}, args...) }

func (w workspace) gantry(t testing.TB, args ...string) string {
	t.Helper()
	return w.in.gantry(t, w.of(args...)...)
}

func (w workspace) status(t testing.TB) operator.Status {
	t.Helper()
	return ask[operator.Status](t, w.in, w.of("status")...)
}

// converge waits until the model has converged.
func (w workspace) converge(t testing.TB, limit time.Duration) {
	t.Helper()
	r := w.in.run(limit+30*time.Second, w.of("wait", "--timeout", limit.String())...)
	if r.code != 0 {
		t.Fatalf("gantry wait in model %s: exit %d\n%s\n%s", w.name, r.code, r.err, w.in.run(commandLimit, w.of("status")...).out)
	}
}

// application finds an application in a status.
func application(t testing.TB, s operator.Status, name string) operator.Application {
	t.Helper()
	for _, a := range s.Applications {
		if string(a.Name) == name {
			return a
		}
	}
	t.Fatalf("status has no application %s", name)
	panic("unreachable")
}

// unit finds a unit in a status.
func unit(t testing.TB, s operator.Status, name string) operator.Unit {
	t.Helper()
	app, _, _ := strings.Cut(name, "/")
	for _, u := range application(t, s, app).Units {
		if u.Name.String() == name {
			return u
		}
	}
	t.Fatalf("status has no unit %s", name)
	panic("unreachable")
}

// machineOf finds the machine of a unit.
func machineOf(t testing.TB, s operator.Status, name string) machine {
	t.Helper()
	u := unit(t, s, name)
	for _, m := range s.Machines {
		if m.Name == u.Machine {
			return machine{name: string(m.Name), uuid: m.UUID}
		}
	}
	t.Fatalf("status has no machine %q of %s", u.Machine, name)
	panic("unreachable")
}

// act runs an action on one unit that must succeed, and returns its results.
func (w workspace) act(t testing.TB, unit, action string, params ...string) map[string]string {
	t.Helper()
	out, err := w.tryAct(unit, action, params...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func (w workspace) tryAct(unit, action string, params ...string) (map[string]string, error) {
	r := w.in.run(commandLimit, w.of(append([]string{"run", "-o", "json", unit, action}, params...)...)...)
	if r.code != 0 {
		return nil, fmt.Errorf("run %s %s: exit %d\n%s%s", unit, action, r.code, r.out, r.err)
	}
	var ops []operator.Operation
	if err := json.Unmarshal([]byte(r.out), &ops); err != nil {
		return nil, fmt.Errorf("run %s %s: %w\n%s", unit, action, err, r.out)
	}
	if len(ops) != 1 || ops[0].Result == nil || ops[0].State != "done" {
		return nil, fmt.Errorf("run %s %s: one operation that is done was expected\n%s", unit, action, r.out)
	}
	return ops[0].Result.Output, nil
}

// settled reports why not all units of an application are well, or nil.
func settled(s operator.Status, app string, units int) error {
	for _, a := range s.Applications {
		if string(a.Name) != app {
			continue
		}
		if len(a.Units) != units {
			return fmt.Errorf("%s has %d units, not %d", app, len(a.Units), units)
		}
		for _, u := range a.Units {
			if !u.Settled || !u.Reachable || u.Status.Level != model.Active {
				return fmt.Errorf("%s is %v, settled %v, reachable %v", u.Name, u.Status, u.Settled, u.Reachable)
			}
		}
		return nil
	}
	return fmt.Errorf("no application %s", app)
}

// tell writes what helps to find out why a test failed.
func (in *install) tell(t testing.TB) {
	t.Helper()
	if !in.ours() {
		return
	}
	for _, role := range []string{"controller", "host-agent"} {
		t.Logf("%s:\n%s", role, tail(filepath.Join(in.dir, "log", role+".log"), 40))
	}
	var models []operator.ModelSummary
	_ = json.Unmarshal([]byte(in.run(commandLimit, "models", "-o", "json").out), &models) // none where it does not answer
	for _, m := range models {
		w := workspace{in: in, name: string(m.Name)}
		t.Logf("model %s:\n%s", m.Name, in.run(commandLimit, w.of("status")...).out)
		var s operator.Status
		_ = json.Unmarshal([]byte(in.run(commandLimit, w.of("status", "-o", "json")...).out), &s)
		for _, m := range s.Machines {
			here := machine{name: string(m.Name), uuid: m.UUID}
			if dir, err := here.rootDir(); err == nil {
				t.Logf("agent of machine %s:\n%s", m.Name, tail(dir+"/var/log/gantry/agent.log", 30))
			}
		}
	}
}

// tail is the end of a file.
func tail(path string, lines int) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimSpace(string(b)), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
