package sandbox

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"github.com/vishvananda/netlink"

	"github.com/gantry-orchestrator/gantry/engine/provider"
	"github.com/gantry-orchestrator/gantry/engine/provider/providertest"
)

const creatorMark = "sandbox-creator"

// createAndDie does not return where this process is to create a machine and
// be killed at a step of it: os.Args are the mark, a directory, and the step.
func createAndDie() {
	at := slices.Index(os.Args, creatorMark)
	if at < 0 {
		return
	}
	dir, step := os.Args[at+1], os.Args[at+2]
	p, err := Open(context.Background(), testConfig(dir))
	if err == nil {
		p.step = func(name string) error {
			if name == step {
				_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			}
			return nil
		}
		_, err = p.Create(context.Background(), provider.Spec{UUID: "m0", Hostname: "alpha"})
	}
	fmt.Fprintln(os.Stderr, "creator was not killed at", step, err)
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
}

// die runs createAndDie in another process.
func die(t *testing.T, dir, step string) {
	t.Helper()
	out, err := exec.Command("/proc/self/exe", creatorMark, dir, step).CombinedOutput()
	if err == nil || err.Error() != "signal: killed" {
		t.Fatalf("creator ended with %v: %s", err, out)
	}
}

func TestAMachineOutlivesTheProcessThatMadeIt(t *testing.T) {
	needRoot(t)
	dir := t.TempDir()
	die(t, dir, "after all steps")
	p := openAt(t, dir)
	all, err := p.List(t.Context())
	if err != nil || len(all) != 1 || all[0].State != provider.Running {
		t.Errorf("after its creator was killed there is %+v (%v), want it running", all, err)
	}
	purge(t, p)
}

func TestAKilledCreatorLeavesNothingButARecordToFinish(t *testing.T) {
	needRoot(t)
	before := providertest.Leftovers(t)
	for _, step := range createSteps {
		dir := t.TempDir()
		die(t, dir, step)
		p := openAt(t, dir)
		i, err := p.Create(t.Context(), provider.Spec{UUID: "m0", Hostname: "alpha"})
		if err != nil || i.State != provider.Running {
			t.Errorf("killed at %s: created %+v (%v), want it running", step, i, err)
		}
		purge(t, p)
	}
	if diff := providertest.Leftovers(t).Since(before); len(diff) > 0 {
		t.Errorf("the host is not as it was: %q", diff)
	}
}

func TestWhatCarriesOurLabelAndBelongsToNoMachineIsReaped(t *testing.T) {
	p := openAt(t, t.TempDir())
	defer purge(t, p)
	create(t, p, provider.Spec{UUID: "m0", Hostname: "alpha"})
	link := "gv" + p.network.id + "-77"
	if err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: link}, PeerName: "stray"}); err != nil {
		t.Fatal(err)
	}
	if _, err := p.groups.create("stray", provider.Spec{}.Constraints); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"machines/never-recorded/upper", "trash/half-removed"} {
		if err := os.MkdirAll(filepath.Join(p.cfg.StateDir, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Open(t.Context(), p.cfg); err != nil {
		t.Fatal(err)
	}
	if _, err := netlink.LinkByName(link); err == nil {
		t.Errorf("link %s is still there", link)
	}
	if got := p.groups.machines(); !slices.Equal(got, []string{"m0"}) {
		t.Errorf("control groups are of %q, want of m0 only", got)
	}
	for _, gone := range []string{"machines/never-recorded", "trash/half-removed"} {
		if _, err := os.Stat(filepath.Join(p.cfg.StateDir, gone)); err == nil {
			t.Errorf("%s is still there", gone)
		}
	}
	if _, err := netlink.LinkByName("gv" + p.network.id + "-2"); err != nil {
		t.Errorf("the link of a machine that runs: %v", err)
	}
}

func TestAMachineWhoseRecordIsTornIsBrokenAndCanBeDestroyed(t *testing.T) {
	p := openAt(t, t.TempDir())
	defer purge(t, p)
	i := create(t, p, provider.Spec{UUID: "m0", Hostname: "alpha"})
	if err := os.WriteFile(filepath.Join(p.store.Dir("m0"), "machine.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	again, err := Open(t.Context(), p.cfg)
	if err != nil {
		t.Fatal(err)
	}
	all, err := again.List(t.Context())
	if err != nil || len(all) != 1 || all[0].State != provider.Broken || all[0].Message == "" {
		t.Errorf("there is %+v (%v), want it broken with a reason", all, err)
	}
	if err := again.Destroy(t.Context(), "m0"); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(i.PID, 0); err == nil && living(i.PID) {
		t.Errorf("its first process %d still runs", i.PID)
	}
}
