package supervise

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"
)

// bare is a supervisor without a loop; the test is the loop.
func bare(t *testing.T) *supervisor {
	t.Helper()
	c := testConfig(shortDir(t))
	st, err := openStore(filepath.Join(c.Dir, "services"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	g, ctx := errgroup.WithContext(ctx)
	t.Cleanup(func() { cancel(); _ = g.Wait() })
	boot, err := bootID()
	if err != nil {
		t.Fatal(err)
	}
	return &supervisor{
		Config: c, boot: boot, store: st, cgroups: &cgroups{}, group: g, ctx: ctx,
		services: map[string]*service{}, inbox: make(chan func()), watchers: map[*watcher]bool{},
	}
}

func TestIdentityIsOnDiskBeforeTheProgramRuns(t *testing.T) {
	s := bare(t)
	v := &service{rec: &record{}}
	v.rec.plan(shell("a", "exit 5").withDefaults(), 1)
	if err := s.spawn(v); err != nil {
		t.Fatal(err)
	}
	records, _, err := s.store.load()
	if err != nil || len(records) != 1 || records[0].Proc == nil || records[0].Proc.Identity != v.rec.Proc.Identity {
		t.Errorf("on disk: %+v, %v", records, err)
	}
	(<-s.inbox)() // ready
	(<-s.inbox)() // ended
	if v.rec.LastExit == nil || v.rec.LastExit.Code != 5 {
		t.Errorf("exit %+v", v.rec.LastExit)
	}
}

func TestProcessThatCannotBeRecordedIsNotStarted(t *testing.T) {
	s := bare(t)
	out := filepath.Join(s.Dir, "out")
	v := &service{rec: &record{}}
	v.rec.plan(shell("a", "echo ran > "+out).withDefaults(), 1)
	s.store.dir = filepath.Join(s.Dir, "gone")
	if err := s.spawn(v); err == nil || !strings.Contains(err.Error(), "save") {
		t.Errorf("spawn: %v", err)
	}
	if v.rec.Proc != nil {
		t.Errorf("a process is noted: %+v", v.rec.Proc)
	}
	if files, _ := filepath.Glob(out); len(files) != 0 {
		t.Error("the program ran")
	}
}

func TestServiceHearsSignalsThatTheSupervisorWasToldToIgnore(t *testing.T) {
	dir := shortDir(t)
	// A shell makes its child ignore SIGHUP, as nohup does.
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	startDaemonAs(t, dir, []string{"sh", "-c", `trap "" HUP; exec "$0"`, exe})
	c := connect(t, dir)
	s := shell("a", "exec sleep 1000")
	s.ReloadSignal, _ = ParseSignal("HUP")
	mustStart(t, c, s)
	if _, err := c.Reload(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	p := until(t, c, "a", "was ended by SIGHUP", func(p Process) bool { return p.LastExit != nil })
	if p.LastExit.Signal.String() != "SIGHUP" {
		t.Errorf("last exit %+v", p.LastExit)
	}
}
