package e2e

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/gantry-orchestrator/gantry/model/operator"
)

// TestControllersAreUpgradedOneByOne follows docs/upgrade.md from one build of
// gantry to the next while operators write.
func TestControllersAreUpgradedOneByOne(t *testing.T) {
	dir := t.TempDir()
	older, newer := build(t, dir, "1.0"), build(t, dir, "1.1")
	was := binary
	binary = filepath.Join(dir, "gantry")
	t.Cleanup(func() { binary = was })
	put(t, older)
	in := open(t)
	c := &council{install: in, work: workspace{in, "default"}, own: workspace{in, "controller"}}
	c.work.gantry(t, "deploy", "beacon")
	c.enable(t, 3)
	c.work.converge(t, time.Minute)
	before := machineOf(t, c.work.status(t), "beacon/0").services()
	c.lead(t, true)
	c.writes = begin(t, in)
	c.writes.flow(t, time.Now())
	roll := c.call(t)
	from := time.Now()

	put(t, newer)
	in.up(t)
	leads := c.leader(t)
	if leads.Unit.IsZero() || leads.Version != "1.0" {
		t.Errorf("with the first controller upgraded %s leads, which runs %s: want another, of the version before", leads.Address, leads.Version)
	}
	c.writes.flow(t, time.Now()) // an older leader with a newer member
	c.enable(t, 3)
	c.writes.flow(t, time.Now())
	figure("upgrade of three controllers, from the new binary on", time.Since(from).Seconds(), "s", "no goal")
	figure("no write acknowledged, upgrade of three controllers", c.writes.gap(from).Seconds(), "s", "less than an election for each")

	roll.end(t)
	for _, m := range c.list(t) {
		if m.Version != "1.1" {
			t.Errorf("%s runs %s", m.Address, m.Version)
		}
	}
	if roll.worst > 1 {
		t.Errorf("%d controllers were down at once", roll.worst)
	}
	if now := c.leader(t); !now.Unit.IsZero() {
		t.Errorf("%s leads: want the one that was upgraded first, which no restart has stopped since", now.Address)
	}
	c.writes.end(t)
	figure("writes acknowledged under an upgrade", float64(c.writes.count()), "writes", "none lost, none twice")
	c.writes.audit(t, 1) // the charm's revision
	if changed := differ(before, machineOf(t, c.work.status(t), "beacon/0").services()); len(changed) > 0 {
		t.Errorf("services restarted: %v", changed)
	}
}

// build makes a gantry of a version.
func build(t *testing.T, dir, version string) string {
	t.Helper()
	path := filepath.Join(dir, "gantry-"+version)
	name := "-X github.com/gantry-orchestrator/gantry/cmd/gantry/internal/roles.Version=" + version
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", name, "-o", path, "./cmd/gantry")
	cmd.Dir, cmd.Env = root, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build gantry %s: %v: %s", version, err, out)
	}
	return path
}

// put has a build take the place of the binary, as a package manager would.
func put(t *testing.T, build string) {
	t.Helper()
	if err := os.Rename(build, binary); err != nil {
		t.Fatal(err)
	}
}

// roll is called of all controllers again and again.
type roll struct {
	stop  context.CancelFunc
	group errgroup.Group
	worst int // how many were down at once
}

func (c *council) call(t testing.TB) *roll {
	t.Helper()
	members := c.list(t)
	ctx, stop := context.WithCancel(context.Background())
	r := &roll{stop: stop}
	r.group.Go(func() error {
		for ctx.Err() == nil {
			r.dial(members)
			time.Sleep(20 * time.Millisecond)
		}
		return nil
	})
	t.Cleanup(stop)
	return r
}

func (r *roll) dial(members []operator.Controller) {
	down := 0
	for _, m := range members {
		conn, err := net.DialTimeout("tcp", m.Address, time.Second)
		if err != nil {
			down++
			continue
		}
		_ = conn.Close()
	}
	r.worst = max(r.worst, down)
}

func (r *roll) end(t *testing.T) {
	t.Helper()
	r.stop()
	if err := r.group.Wait(); err != nil {
		t.Fatal(err)
	}
}
