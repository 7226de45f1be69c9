package e2e

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gantry-orchestrator/gantry/model/operator"
)

// interruptedBootstrap cuts the leader's machine off while its PostgreSQL is
// being founded, until another unit leads, and joins it again. However that
// falls, there must be one cluster in the end.
func interruptedBootstrap(t *testing.T, in *install) {
	w := in.model(t, "boot")
	w.gantry(t, "deploy", "postgresql", "-n", "3", "--config", "profile=testing")
	old := w.founding(t, 10*time.Minute)
	w.gantry(t, "fault", "cut", string(old.Machine))
	cut := time.Now()
	eventually(t, 2*time.Minute, "another unit leads", func() error {
		if now, ok := leader(w.status(t), "postgresql"); !ok || now.Name == old.Name {
			return errors.New("none but " + old.Name.String())
		}
		return nil
	})
	figure("leadership moved from a cut machine", time.Since(cut).Seconds(), "s", "no goal")
	w.gantry(t, "fault", "heal", string(old.Machine))
	w.converge(t, 10*time.Minute)
	c := w.cluster(t, "postgresql")
	if identifiers := c.identifiers(t); len(identifiers) != 3 || distinct(identifiers) != 1 {
		t.Errorf("members of more than one cluster: %v", identifiers)
	}
	c.streaming(t, 3, 2*time.Minute)
	w.in.patient(t, 5*time.Minute, "destroy-model", w.name, "-y", "--destroy-storage", "--wait", "--timeout", "4m")
}

// founding waits until the leader's initdb or first server runs, and returns
// the leader.
func (w workspace) founding(t *testing.T, limit time.Duration) (found operator.Unit) {
	t.Helper()
	eventually(t, limit, "the leader founds its cluster", func() error {
		s := w.status(t)
		l, ok := leader(s, "postgresql")
		if !ok || l.Machine == "" {
			return errors.New("no unit leads yet")
		}
		for _, p := range machineOf(t, s, l.Name.String()).processes() {
			if name := filepath.Base(p.args[0]); name == "initdb" || p.service() == "postgres" || strings.Contains(name, "initdb") {
				found = l
				return nil
			}
		}
		return errors.New(l.Name.String() + " runs no PostgreSQL yet")
	})
	return found
}

// leader is the unit that leads an application.
func leader(s operator.Status, app string) (operator.Unit, bool) {
	for _, a := range s.Applications {
		for _, u := range a.Units {
			if string(a.Name) == app && u.Leader {
				return u, true
			}
		}
	}
	return operator.Unit{}, false
}
