package supervise

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gantry-orchestrator/gantry/model"
)

func TestKilledSupervisorIsFollowedByOneThatAdopts(t *testing.T) {
	dir := shortDir(t)
	log := filepath.Join(dir, "log")
	d := startDaemon(t, dir)
	c := connect(t, dir)
	talker := shell("talker", "i=0; while :; do i=$((i+1)); echo $i; sleep 0.001; done")
	talker.LogFile = log
	before := mustStart(t, c, talker)
	victim := mustStart(t, c, shell("victim", "exec sleep 1000"))
	mustStart(t, c, shell("stopped", "exec sleep 1000"))
	if _, err := c.Stop(t.Context(), "stopped"); err != nil {
		t.Fatal(err)
	}

	d.end(syscall.SIGKILL)
	if !running(before.PID) {
		t.Fatal("the service died with its supervisor")
	}
	written := untilFile(t, log, func(s string) bool { return s != "" })
	untilFile(t, log, func(s string) bool { return len(s) > len(written)+100 }) // it neither blocks nor breaks
	if err := syscall.Kill(victim.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	untilFile(t, os.DevNull, func(string) bool { return !running(victim.PID) })

	startDaemon(t, dir)
	c = connect(t, dir)
	after := mustStart(t, c, talker)
	if after.PID != before.PID || after.StartTime != before.StartTime || after.BootID != before.BootID || after.Restarts != 0 {
		t.Errorf("before %+v, after %+v", before, after)
	}
	p := until(t, c, "victim", "runs again", func(p Process) bool { return p.State == Running })
	if p.PID == victim.PID || p.Restarts != 1 || !p.LastExit.Unknown {
		t.Errorf("killed while no supervisor ran: %+v, last exit %+v", p, p.LastExit)
	}
	if p := until(t, c, "stopped", "is listed", func(Process) bool { return true }); p.State != Stopped {
		t.Errorf("what was stopped is %+v", p)
	}
	if err := syscall.Kill(after.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	until(t, c, "talker", "is started after its end was noticed", func(p Process) bool {
		return p.State == Running && p.Restarts == 1 && p.PID != after.PID
	})
}

func TestAdoptedServiceIsStoppedWithItsFamily(t *testing.T) {
	dir := shortDir(t)
	d := startDaemon(t, dir)
	c := connect(t, dir)
	out := filepath.Join(dir, "pid")
	s := shell("tree", `trap '' TERM; sleep 1000 & echo $! > `+out+`; wait`)
	s.StopTimeout = 10 * time.Millisecond
	mustStart(t, c, s)
	child := untilFile(t, out, func(s string) bool { return strings.HasSuffix(s, "\n") })
	d.end(syscall.SIGKILL)
	startDaemon(t, dir)
	c = connect(t, dir)
	if p, err := c.Stop(t.Context(), "tree"); err != nil || p.State != Stopped {
		t.Fatalf("stop: %+v, %v", p, err)
	}
	if running(atoi(t, strings.TrimSpace(child))) {
		t.Error("a child of the adopted service runs on")
	}
}

func TestAnotherProcessWithTheSamePidIsNotAdopted(t *testing.T) {
	dir := shortDir(t)
	d := startDaemon(t, dir)
	c := connect(t, dir)
	mustStart(t, c, shell("a", "exec sleep 1000"))
	d.end(syscall.SIGTERM)

	// The record now claims the pid of this test, with another start time.
	path := filepath.Join(dir, "services", "a.json")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var r record
	if err := json.Unmarshal(b, &r); err != nil {
		t.Fatal(err)
	}
	boot, _ := bootID()
	r.Proc = &proc{Identity: Identity{PID: os.Getpid(), StartTime: 1, BootID: boot}, Round: r.Round}
	if b, err = json.Marshal(&r); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	startDaemon(t, dir)
	c = connect(t, dir)
	p := until(t, c, "a", "runs", func(p Process) bool { return p.State == Running })
	if p.PID == os.Getpid() {
		t.Error("this test was adopted")
	}
}

func TestStageWithoutAnOrderEndsAndRunsNothing(t *testing.T) {
	out := filepath.Join(t.TempDir(), "log")
	pid, l, err := forkStage(Spec{ID: "a", LogFile: out}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.order.WriteString(`{"command":["sh","-c","echo ran`); err != nil { // cut short
		t.Fatal(err)
	}
	l.close()
	var ws syscall.WaitStatus
	if _, err := syscall.Wait4(pid, &ws, 0, nil); err != nil || ws.ExitStatus() != 1 {
		t.Errorf("the stage ended with %v, %v", ws, err)
	}
	if b, err := os.ReadFile(out); err != nil || strings.Contains(string(b), "ran") {
		t.Errorf("it wrote %q, %v", b, err)
	}
}

func TestUpgradeKeepsServicesAndTheirExitStatus(t *testing.T) {
	dir := shortDir(t)
	newer := filepath.Join(dir, "newer")
	b, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	d := startDaemon(t, dir, "SUPERVISE_TEST_EXECUTABLE="+newer)
	c := connect(t, dir)
	if err := c.Upgrade(t.Context()); !errors.Is(err, model.ErrInvalid) {
		t.Errorf("upgrade to what is not there: %v", err)
	}
	up := filepath.Join(dir, "up")
	s := shell("a", `trap 'exit 9' TERM; echo > `+up+`; while :; do sleep 0.01; done`)
	before := mustStart(t, c, s)
	untilFile(t, up, func(s string) bool { return s != "" })
	if err := os.WriteFile(newer, b, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := c.Upgrade(t.Context()); err != nil {
		t.Fatal(err)
	}
	c = connect(t, dir)
	if exe, err := os.Readlink("/proc/" + itoa(d.cmd.Process.Pid) + "/exe"); err != nil || exe != newer {
		t.Errorf("the supervisor runs %s, %v", exe, err)
	}
	if p := mustStart(t, c, s); p.PID != before.PID || p.StartTime != before.StartTime || p.Restarts != 0 {
		t.Errorf("before %+v, after %+v", before, p)
	}
	if p, err := c.Stop(t.Context(), "a"); err != nil || p.LastExit.Unknown || p.LastExit.Code != 9 {
		t.Errorf("stop: %+v, %v", p.LastExit, err)
	}
}

func TestShutdownStopsLastStartedFirstAndTheNextRunStartsAllAgain(t *testing.T) {
	dir := shortDir(t)
	d := startDaemon(t, dir)
	c := connect(t, dir)
	out := filepath.Join(dir, "order")
	for _, id := range []string{"c", "a", "b"} {
		up := filepath.Join(dir, "up-"+id)
		mustStart(t, c, shell(id, `trap 'sleep 0.02; echo `+id+` >> `+out+`; exit' TERM; echo > `+up+`; while :; do sleep 0.001; done`))
		untilFile(t, up, func(s string) bool { return s != "" })
	}
	if err := d.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	d.end(syscall.SIGTERM)
	if !d.cmd.ProcessState.Success() {
		t.Errorf("the supervisor ended with %v", d.cmd.ProcessState)
	}
	if b, _ := os.ReadFile(out); string(b) != "b\na\nc\n" {
		t.Errorf("stopped in the order %q", b)
	}
	startDaemon(t, dir)
	c = connect(t, dir)
	for _, id := range []string{"a", "b", "c"} {
		if p := until(t, c, id, "runs", func(p Process) bool { return p.State == Running }); p.Restarts != 0 {
			t.Errorf("%s: a planned end counts as %d restarts", id, p.Restarts)
		}
	}
}

func TestSecondSupervisorInADirectoryIsRefused(t *testing.T) {
	dir := shortDir(t)
	c := supervisorIn(t, testConfig(dir))
	if err := Run(t.Context(), testConfig(dir)); !errors.Is(err, model.ErrConflict) {
		t.Errorf("the second ended with %v", err)
	}
	if _, err := c.List(t.Context()); err != nil {
		t.Errorf("the first does not answer any more: %v", err)
	}
}
