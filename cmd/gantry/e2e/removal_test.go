package e2e

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gantry-orchestrator/gantry/engine/provider/providertest"
)

// deadAgent stops an agent for good, as a wedged machine would: removal names
// it as the holder, and goes on only once the operator gives the machine up.
func deadAgent(t *testing.T, in *install) {
	w := in.model(t, "wedged")
	w.gantry(t, "deploy", "beacon")
	w.converge(t, 5*time.Minute)
	m := machineOf(t, w.status(t), "beacon/0")
	m.one(t, "agent", isAgent).signal(t, syscall.SIGSTOP)
	eventually(t, time.Minute, "the unit is known as not reachable", func() error {
		if u := unit(t, w.status(t), "beacon/0"); u.Reachable {
			return fmt.Errorf("%s counts as reachable", u.Name)
		}
		return nil
	})
	w.gantry(t, "remove-application", "beacon", "-y")
	eventually(t, time.Minute, "the holder is named", func() error {
		s := w.status(t).Model
		said := strings.Join(append(s.Blocked, s.Waiting...), "\n")
		if !strings.Contains(said, "beacon/0") || !strings.Contains(said, "agent of machine "+m.name) {
			return fmt.Errorf("status says %q", said)
		}
		return nil
	})
	if r := in.run(time.Minute, w.of("remove-unit", "beacon/0", "-y", "--force")...); r.code == 0 || !strings.Contains(r.err, "remove-machine "+m.name+" --force") {
		t.Errorf("force before the machine is given up: exit %d, want a refusal that names the command\n%s", r.code, r.err)
	}
	r := w.in.patient(t, commandLimit, w.of("remove-machine", m.name, "-y", "--force")...)
	if said := r.out + r.err; !strings.Contains(said, "beacon/0") {
		t.Errorf("force does not say that beacon/0 goes with the machine:\n%s", said)
	}
	w.gone(t, time.Minute)
	if left := m.processes(); len(left) > 0 {
		t.Errorf("%d processes of the machine are left: %v", len(left), left)
	}
	in.patient(t, commandLimit, "destroy-model", "wedged", "-y", "--wait", "--timeout", "90s")
}

// removal takes applications, the model and the install away, and compares the
// host with what it was before up.
func removal(t *testing.T, in *install) {
	w := workspace{in: in, name: "default"}
	for _, app := range []string{"telemetry", "pgbouncer", "postgresql"} {
		for _, a := range w.status(t).Applications {
			if string(a.Name) != app {
				continue
			}
			began := time.Now()
			w.gantry(t, "remove-application", app, "-y", "--destroy-storage")
			eventually(t, 5*time.Minute, app+" is gone", func() error {
				for _, a := range w.status(t).Applications {
					if string(a.Name) == app {
						return fmt.Errorf("it is there: %s", w.gantry(t, "status"))
					}
				}
				return nil
			})
			figure(app+" removed", time.Since(began).Seconds(), "s", "within its deadline")
		}
	}
	w.gone(t, time.Minute)
	began := time.Now()
	in.patient(t, 5*time.Minute, "destroy-model", "default", "-y", "--destroy-storage", "--wait", "--timeout", "4m")
	in.patient(t, commandLimit, "down", "--destroy")
	figure("model destroyed and install taken down", time.Since(began).Seconds(), "s", "within its deadline")
	in.leavesNothing(t)
}

// leavesNothing compares the host with what it was before up.
func (in *install) leavesNothing(t *testing.T) {
	t.Helper()
	var left []string
	deadline := time.Now().Add(10 * time.Second)
	for {
		// What others do on this host's network comes and goes.
		if left = providertest.Leftovers(t).Since(in.before); len(left) == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Errorf("the host is not as it was before up: %s", strings.Join(left, "; "))
			break
		}
		time.Sleep(time.Second)
	}
	entries, err := os.ReadDir(in.dir)
	if err == nil && len(entries) > 0 {
		t.Errorf("%s still holds %v", in.dir, entries)
	}
}
