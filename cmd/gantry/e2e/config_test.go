package e2e

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// change applies the bundle with an overlay and checks that what the plan
// announced is what the units' journals say was done.
func (a *archive) change(t *testing.T, options map[string]string) {
	t.Helper()
	overlay := writeOverlay(t, "postgresql", options)
	expected := planned(a.plan(t, overlay), "postgresql")
	marks := a.bookmarks(t, "postgresql")
	a.gantry(t, "apply", bundleFile, "--overlay", overlay)
	a.converge(t, 5*time.Minute)
	if diff := cmp.Diff(expected, performed(t, marks)); diff != "" {
		t.Errorf("effects (-planned +performed):\n%s", diff)
	}
	if len(expected) == 0 {
		t.Error("the plan of a changed option has no effect")
	}
}

// shows waits until every member shows a setting.
func (a *archive) shows(t *testing.T, name, value string) {
	t.Helper()
	eventually(t, time.Minute, name+" is "+value+" everywhere", func() error {
		for _, u := range a.members(t) {
			got, err := a.sql(u.Address, "postgres", "SHOW "+name)
			if err != nil {
				return err
			}
			if got != value {
				return fmt.Errorf("%s has %s", u.Name, got)
			}
		}
		return nil
	})
}

func reloadedConfig(t *testing.T, a *archive) {
	before, from := a.services(t), time.Now()
	a.change(t, map[string]string{"work_mem": "8MB"})
	a.shows(t, "work_mem", "8MB")
	figure("work_mem reloaded on three members", time.Since(from).Seconds(), "s", "no restart")
	if changed := differ(before, a.services(t)); len(changed) > 0 {
		t.Errorf("a setting that is reloaded restarted: %v", changed)
	}
	a.change(t, map[string]string{"work_mem": "4MB"}) // and back: its task was done once already
	a.shows(t, "work_mem", "4MB")
	a.change(t, map[string]string{"work_mem": "8MB"})
	a.shows(t, "work_mem", "8MB")
	a.audit(t)
}

func rollingConfig(t *testing.T, a *archive) {
	a.streaming(t, 3, 2*time.Minute)
	old, from := a.primary(t), time.Now()
	watch := a.watchPostmasters(t)
	a.change(t, map[string]string{"work_mem": "8MB", "max_connections": "150"})
	a.shows(t, "max_connections", "150")
	order, together := watch()
	a.writes(t, from, time.Minute)
	figure("max_connections rolled over three members", time.Since(from).Seconds(), "s", "no goal")
	figure("write gap, rolling restart", a.book.gap(from).Seconds(), "s", "goal 4s, one switchover")
	if together > 1 {
		t.Errorf("%d members were down at once", together)
	}
	if len(order) != 3 || order[2] != old.Name.String() {
		t.Errorf("restarted in the order %v; want all three, and %s, which was the primary, last", order, old.Name)
	}
	a.healthy(t)
}

// watchPostmasters looks at every member's postmaster until it is told to end.
// It then returns in which order they were replaced and how many were gone at
// once.
func (a *archive) watchPostmasters(t *testing.T) (end func() (order []string, together int)) {
	t.Helper()
	members := map[string]machine{}
	first := map[string]string{}
	for unit, m := range a.machines(t) {
		if strings.HasPrefix(unit, "postgresql/") {
			members[unit], first[unit] = m, m.services()["postgres"]
		}
	}
	var order []string
	var together int
	stop := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() {
		for {
			down := 0
			for unit, m := range members {
				switch now := m.services()["postgres"]; {
				case now == "":
					down++
				case now != first[unit] && !slices.Contains(order, unit):
					order = append(order, unit)
				}
			}
			together = max(together, down)
			select {
			case <-stop:
				return
			case <-time.After(50 * time.Millisecond):
			}
		}
	})
	return func() ([]string, int) {
		close(stop)
		running.Wait()
		return order, together
	}
}
