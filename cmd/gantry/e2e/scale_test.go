package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gopkg.in/yaml.v3"
)

// quorum is Patroni's consensus as one member's syncobj_admin tells it.
type quorum struct {
	has     bool
	members []string // addresses
}

// raft asks the consensus of a member, on its machine.
func (a *archive) raft(t testing.TB, unit string) (q quorum, err error) {
	t.Helper()
	s := a.status(t)
	m := machineOf(t, s, unit)
	top := m.files(t)
	text, err := os.ReadFile(top + "/var/lib/gantry/config/" + strings.ReplaceAll(unit, "/", "-") + "/postgresql/patroni.yml")
	if err != nil {
		return q, err
	}
	var config struct {
		Raft struct{ Password string }
	}
	if err := yaml.Unmarshal(text, &config); err != nil {
		return q, err
	}
	pid := filepath.Base(filepath.Dir(top))
	out, err := exec.Command("nsenter", "-t", pid, "-m", "-n", "-p", "syncobj_admin",
		"-conn", a.address(t, unit)+":2222", "-pass", config.Raft.Password, "-status").CombinedOutput()
	if err != nil {
		return q, fmt.Errorf("syncobj_admin: %w: %s", err, out)
	}
	for line := range strings.Lines(string(out)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		switch {
		case key == "has_quorum":
			q.has = value == "True"
		case key == "self":
			q.members = append(q.members, value)
		case strings.HasPrefix(key, "partner_node_status_server_"):
			q.members = append(q.members, strings.TrimPrefix(key, "partner_node_status_server_"))
		}
	}
	return q, nil
}

func (a *archive) address(t testing.TB, name string) string {
	t.Helper()
	return unit(t, a.status(t), name).Address
}

// consists waits until Patroni and its consensus both have exactly these
// members.
func (a *archive) consists(t testing.TB, members int) {
	t.Helper()
	eventually(t, 2*time.Minute, fmt.Sprintf("Patroni and its consensus have %d members", members), func() error {
		units := a.members(t)
		var names, addresses []string
		for _, u := range units {
			names = append(names, u.Name.Dashed())
			addresses = append(addresses, u.Address+":2222")
		}
		slices.Sort(names)
		slices.Sort(addresses)
		if len(units) != members {
			return fmt.Errorf("the application has %d units", len(units))
		}
		for _, u := range units {
			listed, leader, err := patroniMembers(u.Address)
			if err != nil {
				return err
			}
			if leader == "" || !slices.Equal(listed, names) {
				return fmt.Errorf("Patroni of %s lists %v, led by %q", u.Name, listed, leader)
			}
			q, err := a.raft(t, u.Name.String())
			if err != nil {
				return err
			}
			slices.Sort(q.members)
			if !q.has || !slices.Equal(q.members, addresses) {
				return fmt.Errorf("the consensus of %s has members %v, quorum %v; want %v", u.Name, q.members, q.has, addresses)
			}
		}
		return nil
	})
}

func scale(t *testing.T, a *archive) {
	a.consists(t, 3)
	old, from := a.primary(t), time.Now()
	a.gantry(t, "add-unit", "postgresql", "-n", "2")
	a.converge(t, 10*time.Minute)
	figure("three members became five", time.Since(from).Seconds(), "s", "no goal")
	a.consists(t, 5)
	a.streaming(t, 5, time.Minute)
	if now := a.primary(t); now.Name != old.Name {
		t.Errorf("growing moved the primary from %s to %s", old.Name, now.Name)
	}
	if identifiers := a.identifiers(t); distinct(identifiers) != 1 {
		t.Errorf("members of more than one cluster: %v", identifiers)
	}

	// The two that are hardest to lose at once: the primary, and who would
	// take over from it.
	began := time.Now()
	a.gantry(t, "remove-unit", "-y", "--destroy-storage", old.Name.String(), a.synchronous(t).Name.String())
	a.converge(t, 10*time.Minute)
	figure("five members became three", time.Since(began).Seconds(), "s", "no goal")
	a.consists(t, 3)
	a.writes(t, from, time.Minute)
	gap := a.book.gap(from)
	figure("write gap, three to five to three", gap.Seconds(), "s", "no loss of quorum")
	if gap > hang*4*time.Second {
		t.Errorf("no packet was archived for %v", gap)
	}
	a.healthy(t)
}

func distinct(values map[string]string) int {
	seen := map[string]bool{}
	for _, v := range values {
		seen[v] = true
	}
	return len(seen)
}
