package e2e

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gantry-orchestrator/gantry/model/operator"
)

// historyReplicated tells that each controller has the whole history, that it
// goes on without its leader, and that the model goes on without it.
func historyReplicated(t *testing.T, c *council) {
	siblings, err := filepath.Glob(filepath.Join(c.dir, "*", "bin", "gantry-dqlite"))
	if err != nil || len(siblings) == 0 {
		t.Skip("no gantry-dqlite beside gantry: run make build")
	}
	if backend := c.past(t).Health.Backend; backend != "dqlite" {
		t.Skipf("the history is in %s: the host's libdqlite0 is missing", backend)
	}
	c.note(t, "first", 5)
	c.recorded(t, "first", 5)
	index := c.past(t).Entries[0].Index
	statement := fmt.Sprintf("SELECT idx, author, reason, keys FROM events WHERE idx <= %d ORDER BY idx", index)
	var rows string
	for _, m := range c.list(t) {
		c.leader(t)
		c.gantry(t, "controllers", "transfer", m.ID)
		if now := c.leader(t); now.ID != m.ID {
			t.Fatalf("%s leads, not %s", now.Address, m.Address)
		}
		said := c.work.gantry(t, "query", statement)
		if rows == "" {
			rows = said
		} else if said != rows {
			t.Errorf("%s has other rows:\n%s\nthan the first:\n%s", m.Address, said, rows)
		}
	}

	old := c.lead(t, false)
	c.process(t, old).signal(t, syscall.SIGKILL)
	killed := time.Now()
	c.note(t, "killed", 10)
	c.recorded(t, "killed", 10)
	figure("leader killed, history has what was committed since", time.Since(killed).Seconds(), "s", "no goal")
	c.leader(t)
	c.historyStopped(t, siblings[0])
}

// historyStopped takes the history's majority away, and nothing else: the
// controllers on machines start again without dqlite.
func (c *council) historyStopped(t *testing.T, sibling string) {
	t.Helper()
	restart := func() {
		t.Helper()
		for _, m := range c.list(t) {
			if !m.Unit.IsZero() {
				c.process(t, m).signal(t, syscall.SIGKILL)
				c.leader(t)
			}
		}
	}
	c.lead(t, true)
	if err := os.Rename(sibling, sibling+".away"); err != nil {
		t.Fatal(err)
	}
	restart()
	c.lead(t, true)
	c.note(t, "stopping", 5)
	eventually(t, 30*time.Second, "the history says that it lags", func() error {
		if r := c.run(30*time.Second, c.work.of("history")...); r.code == 0 && !strings.Contains(r.out, "The history lags") {
			return errors.New("it does not")
		}
		return nil
	})
	took := c.note(t, "stopped", 5)
	figure("slowest of 5 changes while the history has no majority", took.Seconds(), "s", "as without")
	if took > 3*time.Second {
		t.Errorf("a change took %v while the history was stopped", took)
	}
	if err := os.Rename(sibling+".away", sibling); err != nil {
		t.Fatal(err)
	}
	restart()
	c.lead(t, true)
	c.recorded(t, "stopping", 5)
	c.recorded(t, "stopped", 5)
}

func (c *council) past(t testing.TB) (past operator.Past) {
	t.Helper()
	eventually(t, 30*time.Second, "the history answers", func() error {
		r := c.run(20*time.Second, c.work.of("history", "-o", "json")...)
		if r.code != 0 {
			return errors.New(r.err)
		}
		past = decode[operator.Past](t, r.out)
		if len(past.Entries) == 0 {
			return errors.New("it has nothing")
		}
		return nil
	})
	return past
}

// note commits changes with reasons of their own, and returns how long the
// slowest took.
func (c *council) note(t testing.TB, name string, count int) (slowest time.Duration) {
	t.Helper()
	for i := range count {
		mark := fmt.Sprintf("%s-%d", name, i)
		slowest = max(slowest, c.patient(t, time.Minute, c.work.of("config", "beacon", "message="+mark, "--reason", mark)...).took)
	}
	return slowest
}

// recorded waits until the history has each of those changes, once.
func (c *council) recorded(t testing.TB, name string, count int) {
	t.Helper()
	var want strings.Builder
	for i := range count {
		fmt.Fprintf(&want, "%s-%d 1\n", name, i)
	}
	statement := fmt.Sprintf("SELECT reason || ' ' || count(*) AS said FROM events WHERE origin = 'operator' AND reason GLOB '%s-*' GROUP BY reason ORDER BY min(idx)", name)
	eventually(t, time.Minute, "the history has what was changed", func() error {
		r := c.run(20*time.Second, c.work.of("query", statement)...)
		if _, rows, _ := strings.Cut(r.out, "\n"); r.code != 0 || rows != want.String() {
			return fmt.Errorf("exit %d, it has\n%s%s", r.code, r.out, r.err)
		}
		return nil
	})
}
