package supervise

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gantry-orchestrator/gantry/model"
)

func TestServiceThatCrashesIsRestarted(t *testing.T) {
	c := supervisorIn(t, testConfig(shortDir(t)))
	first := mustStart(t, c, shell("db/0", "exec sleep 1000"))
	if first.State != Running || first.PID == 0 || first.StartTime == 0 || first.BootID == "" || first.Restarts != 0 {
		t.Fatalf("started: %+v", first)
	}
	if err := syscall.Kill(first.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	p := until(t, c, "db/0", "runs again", func(p Process) bool { return p.State == Running && p.Restarts == 1 })
	if p.PID == first.PID {
		t.Error("the process is the same")
	}
	if p.LastExit == nil || p.LastExit.Signal.String() != "SIGKILL" {
		t.Errorf("last exit is %+v, not SIGKILL", p.LastExit)
	}
}

func TestServiceThatKeepsExitingIsRestartedWithBackoff(t *testing.T) {
	c := supervisorIn(t, testConfig(shortDir(t)))
	s := shell("flap", "exit 3")
	s.Backoff = Backoff{Min: time.Millisecond, Max: time.Hour}
	mustStart(t, c, s)
	p := until(t, c, "flap", "restarts", func(p Process) bool { return p.Restarts >= 4 && p.State == Waiting })
	if p.LastExit.Code != 3 || p.PID != 0 {
		t.Errorf("in backoff: %+v, last exit %+v", p, p.LastExit)
	}
	if p, err := c.Stop(t.Context(), "flap"); err != nil || p.State != Stopped {
		t.Errorf("stop in backoff: %+v, %v", p, err)
	}
}

func TestStopEndsTheWholeFamily(t *testing.T) {
	dir := shortDir(t)
	c := supervisorIn(t, testConfig(dir))
	out := filepath.Join(dir, "pids")
	s := shell("tree", `trap '' TERM; sh -c 'trap "" TERM; sleep 1000 & echo $! >> `+out+`; wait' & setsid sleep 1000 & echo $! >> `+out+`; wait`)
	s.StopTimeout = 20 * time.Millisecond
	main := mustStart(t, c, s)
	text := untilFile(t, out, func(s string) bool { return strings.Count(s, "\n") == 2 })
	p, err := c.Stop(t.Context(), "tree")
	if err != nil || p.State != Stopped || p.Restarts != 0 || p.PID != 0 {
		t.Fatalf("stop: %+v, %v", p, err)
	}
	if p.LastExit.Signal.String() != "SIGKILL" {
		t.Errorf("it ignores SIGTERM, yet ended by %+v", p.LastExit)
	}
	if running(main.PID) {
		t.Error("the main process runs on")
	}
	for _, f := range strings.Fields(text) {
		if running(atoi(t, f)) {
			t.Errorf("grandchild %s runs on", f)
		}
	}
}

func TestStopSendsTheStopSignalAndNeverRestarts(t *testing.T) {
	dir := shortDir(t)
	c := supervisorIn(t, testConfig(dir))
	out := filepath.Join(dir, "up")
	s := shell("polite", `trap 'exit 7' INT; echo > `+out+`; while :; do sleep 0.01; done`)
	s.StopSignal = Signal(syscall.SIGINT)
	mustStart(t, c, s)
	untilFile(t, out, func(s string) bool { return s != "" })
	p, err := c.Stop(t.Context(), "polite")
	if err != nil || p.State != Stopped || p.LastExit.Code != 7 || p.Restarts != 0 {
		t.Fatalf("stop: %+v, last exit %+v, %v", p, p.LastExit, err)
	}
	if p, err := c.Stop(t.Context(), "polite"); err != nil || p.State != Stopped {
		t.Errorf("stop of what is stopped: %+v, %v", p, err)
	}
}

func TestStartIsIdempotentBySpecAndRefusesAnother(t *testing.T) {
	c := supervisorIn(t, testConfig(shortDir(t)))
	s := shell("a", "exec sleep 1000")
	first := mustStart(t, c, s)
	if again := mustStart(t, c, s); again.PID != first.PID || again.StartTime != first.StartTime {
		t.Errorf("the second start made process %d of %d", again.PID, first.PID)
	}
	other := shell("a", "exec sleep 2000")
	if _, err := c.Start(t.Context(), other); !errors.Is(err, model.ErrConflict) || !strings.Contains(err.Error(), "stop it first") {
		t.Errorf("another spec: %v", err)
	}
	if _, err := c.Stop(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	if p := mustStart(t, c, other); p.SpecHash != other.Hash() {
		t.Errorf("after a stop the other spec is not taken: %+v", p)
	}
}

func TestRestartReplacesProcessAndSpecAsPlanned(t *testing.T) {
	c := supervisorIn(t, testConfig(shortDir(t)))
	first := mustStart(t, c, shell("a", "exec sleep 1000"))
	s := shell("a", "exec sleep 2000")
	p, err := c.Restart(t.Context(), s)
	if err != nil || p.PID == first.PID || p.SpecHash != s.Hash() || p.Restarts != 0 || p.State != Running {
		t.Fatalf("restart: %+v, %v", p, err)
	}
	if running(first.PID) {
		t.Error("the first process runs on")
	}
}

func TestStartOfWhatCannotRunSaysWhyAndIsNotTriedAgain(t *testing.T) {
	c := supervisorIn(t, testConfig(shortDir(t)))
	for _, s := range []Spec{
		{ID: "missing", Command: []string{"/no/such/program"}},
		{ID: "unfound", Command: []string{"no-such-program"}},
		{ID: "nodir", Command: []string{"true"}, Dir: "/no/such/dir"},
		{ID: "nouser", Command: []string{"true"}, User: "no-such-user"},
	} {
		_, err := c.Start(t.Context(), s)
		if !errors.Is(err, model.ErrUnavailable) || !strings.Contains(err.Error(), "no") {
			t.Errorf("%s: %v", s.ID, err)
		}
		p := until(t, c, s.ID, "is failed", func(p Process) bool { return p.State == Failed && p.PID == 0 })
		if p.Reason == "" || p.Restarts != 0 {
			t.Errorf("%s: %+v", s.ID, p)
		}
		if err := c.Remove(t.Context(), s.ID); err != nil {
			t.Error(err)
		}
	}
	if _, err := c.Start(t.Context(), Spec{ID: "empty"}); !errors.Is(err, model.ErrInvalid) {
		t.Errorf("a spec without command: %v", err)
	}
}

func TestRemoveForgetsOnlyWhatIsStopped(t *testing.T) {
	dir := shortDir(t)
	c := supervisorIn(t, testConfig(dir))
	mustStart(t, c, shell("a", "exec sleep 1000"))
	if err := c.Remove(t.Context(), "a"); !errors.Is(err, model.ErrConflict) {
		t.Errorf("remove of what runs: %v", err)
	}
	if _, err := c.Stop(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	if err := c.Remove(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	if list, err := c.List(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("list after remove: %v, %v", list, err)
	}
	if err := c.Remove(t.Context(), "a"); err != nil {
		t.Errorf("remove again: %v", err)
	}
	if _, err := c.Stop(t.Context(), "a"); !errors.Is(err, model.ErrNotFound) {
		t.Errorf("stop of what is not known: %v", err)
	}
	if files, _ := os.ReadDir(filepath.Join(dir, "services")); len(files) != 0 {
		t.Errorf("files are left: %v", files)
	}
}

func TestReloadSendsTheSignalOrRunsTheCommand(t *testing.T) {
	dir := shortDir(t)
	c := supervisorIn(t, testConfig(dir))
	up, out := filepath.Join(dir, "up"), filepath.Join(dir, "out")
	s := shell("sig", `trap 'echo hup >> `+out+`' HUP; echo > `+up+`; while :; do sleep 0.01; done`)
	s.ReloadSignal = Signal(syscall.SIGHUP)
	first := mustStart(t, c, s)
	untilFile(t, up, func(s string) bool { return s != "" })
	if p, err := c.Reload(t.Context(), "sig"); err != nil || p.PID != first.PID {
		t.Fatalf("reload by signal: %+v, %v", p, err)
	}
	untilFile(t, out, func(s string) bool { return s == "hup\n" })

	s = shell("cmd", "exec sleep 1000")
	s.ReloadCommand = []string{"sh", "-c", "echo $MAINPID $WHO > " + out}
	s.Env = []string{"WHO=me"}
	p := mustStart(t, c, s)
	if _, err := c.Reload(t.Context(), "cmd"); err != nil {
		t.Fatal(err)
	}
	if b, _ := os.ReadFile(out); string(b) != itoa(p.PID)+" me\n" {
		t.Errorf("the reload command saw %q", b)
	}
	mustStart(t, c, shell("none", "exec sleep 1000"))
	if _, err := c.Reload(t.Context(), "none"); !errors.Is(err, model.ErrInvalid) {
		t.Errorf("reload without a way to: %v", err)
	}
	s = shell("bad", "exec sleep 1000")
	s.ReloadCommand = []string{"false"}
	mustStart(t, c, s)
	if _, err := c.Reload(t.Context(), "bad"); !errors.Is(err, model.ErrUnavailable) {
		t.Errorf("a reload command that fails: %v", err)
	}
}

func TestEndOfLeaseStopsTheServiceInTime(t *testing.T) {
	c := supervisorIn(t, testConfig(shortDir(t)))
	s := shell("leased", `trap '' TERM; while :; do sleep 0.01; done`)
	s.StopTimeout = 50 * time.Millisecond
	s.Lease = time.Now().Add(leaseMargin + s.StopTimeout + 2*time.Second)
	first := mustStart(t, c, s)
	renewed := s.Lease.Add(300 * time.Millisecond)
	if p, err := c.Renew(t.Context(), "leased", renewed); err != nil || p.PID != first.PID {
		t.Fatalf("renew: %+v, %v", p, err)
	}
	p := until(t, c, "leased", "is stopped", func(p Process) bool { return p.State == Stopped })
	if at := p.LastExit.At; at.After(renewed) || at.Before(s.Lease.Add(-leaseMargin)) {
		t.Errorf("ended %v after the first end of the lease, renewed by 300ms", at.Sub(s.Lease))
	}
	if p.Reason != "its lease ended" || p.Restarts != 0 || p.LastExit.Signal.String() != "SIGKILL" {
		t.Errorf("after the lease: %+v", p)
	}
	if _, err := c.Renew(t.Context(), "leased", time.Now().Add(time.Hour)); !errors.Is(err, model.ErrConflict) {
		t.Errorf("renew of a stopped service: %v", err)
	}
	s.Lease = time.Now().Add(leaseMargin)
	if _, err := c.Start(t.Context(), s); !errors.Is(err, model.ErrInvalid) {
		t.Errorf("start with a lease too short to stop in: %v", err)
	}
	s.Lease = time.Now().Add(time.Hour)
	if p := mustStart(t, c, s); p.State != Running || p.Reason != "" {
		t.Errorf("started under a new lease: %+v", p)
	}
}

func TestServiceGetsItsEnvironmentDirectorySessionAndLog(t *testing.T) {
	dir := shortDir(t)
	c := supervisorIn(t, testConfig(dir))
	log := filepath.Join(dir, "log")
	s := shell("env", `pwd; env | grep -v -e ^PWD= -e ^_= -e ^SHLVL= -e ^OLDPWD=; ulimit -n; ps -o pid=,sid= $$ >/dev/null; echo error >&2; exec sleep 1000`)
	s.Env, s.Dir, s.LogFile, s.Limits.Files = []string{"A=1"}, "/usr", log, 77
	p := mustStart(t, c, s)
	got := untilFile(t, log, func(s string) bool { return strings.HasSuffix(s, "error\n") })
	if got != "/usr\nA=1\n77\nerror\n" {
		t.Errorf("the service saw %q", got)
	}
	if st, err := readStat(p.PID); err != nil || st.Session != p.PID {
		t.Errorf("session of %d: %+v, %v", p.PID, st, err)
	}
}
