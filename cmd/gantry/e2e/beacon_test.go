package e2e

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// trivialCharm takes a beacon through deploy, relate, configure, act and
// remove, on machines of a model of its own.
func trivialCharm(t *testing.T, in *install) {
	w := in.model(t, "light")
	began := time.Now()
	w.gantry(t, "deploy", "beacon")
	w.converge(t, 5*time.Minute)
	figure("first beacon on a new machine", time.Since(began).Seconds(), "s", "seconds; minutes where the base is built first")

	began = time.Now()
	w.gantry(t, "deploy", "beacon", "watcher", "-n", "2")
	w.gantry(t, "integrate", "watcher:watch", "beacon:light")
	w.converge(t, time.Minute)
	figure("two watchers deployed and related", time.Since(began).Seconds(), "s", "seconds")
	if said := unit(t, w.status(t), "watcher/0").Status.Message; !strings.Contains(said, "sees 1 of beacon") {
		t.Errorf("watcher/0 says %q, and not that it sees the beacon", said)
	}

	before := machineOf(t, w.status(t), "beacon/0").services()
	if len(before) == 0 {
		t.Fatal("no service of the beacon runs")
	}
	began = time.Now()
	w.gantry(t, "config", "beacon", "message=all is well")
	w.converge(t, time.Minute)
	figure("a message reloaded", time.Since(began).Seconds(), "s", "seconds")
	if changed := differ(before, machineOf(t, w.status(t), "beacon/0").services()); len(changed) > 0 {
		t.Errorf("a message is reloaded, but services restarted: %v", changed)
	}
	w.gantry(t, "config", "beacon", "interval=1")
	w.converge(t, time.Minute)
	if changed := differ(before, machineOf(t, w.status(t), "beacon/0").services()); len(changed) == 0 {
		t.Error("a new interval restarts the service, but it is the same process")
	}
	eventually(t, time.Minute, "the beacon says its message", func() error {
		out, err := w.tryAct("beacon/leader", "ping")
		if err == nil && !strings.Contains(out["beat"], "all is well") {
			return fmt.Errorf("its last beat is %q", out["beat"])
		}
		return err
	})

	began = time.Now()
	w.gantry(t, "remove-relation", "watcher:watch", "beacon:light")
	w.converge(t, time.Minute)
	if said := unit(t, w.status(t), "watcher/0").Status.Message; strings.Contains(said, "sees") {
		t.Errorf("without a relation watcher/0 says %q", said)
	}
	w.gantry(t, "remove-application", "watcher")
	w.gantry(t, "remove-application", "beacon")
	w.gone(t, time.Minute)
	figure("relation and applications removed", time.Since(began).Seconds(), "s", "seconds")
	if r := in.run(time.Minute, "destroy-model", "light", "-y", "--wait", "--timeout", "50s"); r.code != 0 {
		t.Errorf("destroy-model: exit %d\n%s", r.code, r.err)
	}
}

// gone waits until a model has neither applications nor machines.
func (w workspace) gone(t testing.TB, limit time.Duration) {
	t.Helper()
	eventually(t, limit, "all applications and machines are gone", func() error {
		s := w.status(t)
		if len(s.Applications)+len(s.Machines) == 0 {
			return nil
		}
		return errors.New(w.gantry(t, "status"))
	})
}
