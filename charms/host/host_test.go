package host_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gantry-orchestrator/gantry/charms/host"
	"github.com/gantry-orchestrator/gantry/charms/sdk"
	"github.com/gantry-orchestrator/gantry/charms/sdk/plugin"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// TestMain lets the test binary be a charm's process, as gantry is for the
// charms that are linked into it.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "charm-exec" {
		if err := sdk.Exec(context.Background(), probe{}, os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// probe is a charm that does what its configuration says and reports what it
// could do.
type probe struct{}

func (probe) Reconcile(in effect.Input) effect.Desired {
	switch path := sdk.String(in, "path"); sdk.String(in, "do") {
	case "panic":
		panic("the charm's own words")
	case "hang":
		time.Sleep(time.Hour)
	case "exit":
		os.Exit(3)
	case "read":
		_, err := os.ReadFile(path)
		return said(err)
	case "write":
		return said(os.WriteFile(path, []byte("x"), 0o600))
	case "dial":
		_, err := net.DialTimeout("tcp", path, 300*time.Millisecond)
		return said(err)
	case "whoami":
		return effect.Desired{Version: fmt.Sprintf("%d %d %s", os.Getuid(), os.Getpid(), strings.Join(os.Environ(), " "))}
	}
	return effect.Desired{Version: in.Spec.Unit.String(), Status: sdk.Active("")}
}

func said(err error) effect.Desired {
	if err != nil {
		return effect.Desired{Version: err.Error()}
	}
	return effect.Desired{Version: "done"}
}

func (probe) Call(_ context.Context, call effect.Invocation) (string, error) {
	switch call.Name {
	case "whoami":
		return strconv.Itoa(os.Getuid()), nil
	case "panic":
		panic(call.Args["secret"])
	case "linger":
		child := exec.Command("sleep", "1000")
		if err := child.Start(); err != nil {
			return "", err
		}
		if err := os.WriteFile(call.Args["pid"], []byte(strconv.Itoa(child.Process.Pid)), 0o600); err != nil {
			return "", err
		}
		return "", child.Wait()
	case "print":
		fmt.Println("this is no result")
	}
	return call.Args["say"], nil
}

var charm = effect.Charm{Name: "probe", Revision: "1"}

func input(config map[string]any) effect.Input {
	return effect.Input{Spec: effect.Spec{Unit: model.UnitName{Application: "probe"}, Config: config}}
}

func ask(t testing.TB, h *host.Host, config map[string]any) string {
	t.Helper()
	want, err := h.Reconcile(t.Context(), charm, input(config))
	if err != nil {
		t.Fatal(err)
	}
	return want.Version
}

func TestACharmAnswersFromOneLongLivedProcess(t *testing.T) {
	h := newHost(t)
	if got := ask(t, h, nil); got != "probe/0" {
		t.Fatalf("answered for %q", got)
	}
	first := strings.Fields(ask(t, h, map[string]any{"do": "whoami"}))[1]
	if second := strings.Fields(ask(t, h, map[string]any{"do": "whoami"}))[1]; first != second || first == strconv.Itoa(os.Getpid()) {
		t.Fatalf("asked process %s, then %s", first, second)
	}
}

func TestAFaultOfACharmIsAnErrorThatNamesUnitAndCharm(t *testing.T) {
	for name, tt := range map[string]struct {
		do   string
		want error
	}{
		"a panic":           {"panic", plugin.ErrPanic},
		"a missed deadline": {"hang", plugin.ErrDeadline},
		"an exit":           {"exit", model.ErrUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t)
			_, err := h.Reconcile(t.Context(), charm, input(map[string]any{"do": tt.do}))
			if !errors.Is(err, tt.want) || !strings.Contains(err.Error(), "reconcile probe/0 with charm probe") {
				t.Fatalf("got %v", err)
			}
			if got, err := h.Reconcile(t.Context(), effect.Charm{Name: "probe", Revision: "2"}, input(nil)); err != nil || got.Version != "probe/0" {
				t.Fatalf("another charm is affected: %v", err)
			}
		})
	}
}

func TestAPanicTellsWhereItWas(t *testing.T) {
	_, err := newHost(t).Reconcile(t.Context(), charm, input(map[string]any{"do": "panic"}))
	for _, part := range []string{"the charm's own words", "probe.Reconcile", "host_test.go:"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("expected %q in: %v", part, err)
		}
	}
}

func TestAStuckCharmIsReplacedAtOnceAndACrashingOneBacksOff(t *testing.T) {
	h := newHost(t)
	hang, exit := input(map[string]any{"do": "hang"}), input(map[string]any{"do": "exit"})
	if _, err := h.Reconcile(t.Context(), charm, hang); !errors.Is(err, plugin.ErrDeadline) {
		t.Fatal(err)
	}
	if got := ask(t, h, nil); got != "probe/0" {
		t.Fatalf("after a missed deadline: %q", got)
	}
	_, err := h.Reconcile(t.Context(), charm, exit)
	for range 3 {
		_, err = h.Reconcile(t.Context(), charm, exit)
	}
	if !strings.Contains(err.Error(), "started again in") {
		t.Fatalf("a charm that always exits is relaunched without back-off: %v", err)
	}
}

// A process that is stopped gets no time, as on a machine that is busy.
func TestACharmIsNotLateBecauseTheMachineIsBusy(t *testing.T) {
	h := newHost(t)
	whoami := input(map[string]any{"do": "whoami"})
	pid, err := strconv.Atoi(strings.Fields(ask(t, h, map[string]any{"do": "whoami"}))[1])
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(plugin.Deadline+plugin.Deadline/2, func() { _ = syscall.Kill(pid, syscall.SIGCONT) })
	want, err := h.Reconcile(t.Context(), charm, whoami)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Fields(want.Version)[1]; got != strconv.Itoa(pid) {
		t.Errorf("process %d was replaced by %s", pid, got)
	}
}

func TestUnitsMayAskAtTheSameTime(t *testing.T) {
	h := newHost(t)
	var all sync.WaitGroup
	for n := range 20 {
		all.Go(func() {
			in := input(nil)
			in.Spec.Unit.Number = n
			want, err := h.Reconcile(t.Context(), charm, in)
			if err != nil || want.Version != in.Spec.Unit.String() {
				t.Errorf("unit %d: %q, %v", n, want.Version, err)
			}
		})
	}
	all.Wait()
}

func TestReconcileIsConfined(t *testing.T) {
	h := newHost(t)
	lacks := strings.Join(h.Lacks(), "; ")
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	t.Setenv("GANTRY_TEST_SECRET", "in the agent's environment")

	if got := ask(t, h, map[string]any{"do": "whoami"}); strings.Contains(got, "GANTRY_TEST_SECRET") || strings.Contains(got, "PATH=") {
		t.Errorf("the agent's environment is inherited: %s", got)
	}
	if got := ask(t, h, map[string]any{"do": "whoami"}); os.Geteuid() == 0 && !strings.HasPrefix(got, "65534 ") {
		t.Errorf("it runs as %s", got)
	}
	if !strings.Contains(lacks, "Landlock") {
		for _, path := range []string{secret, "/etc/passwd", "/proc/1/environ"} {
			if got := ask(t, h, map[string]any{"do": "read", "path": path}); !strings.Contains(got, "permission denied") {
				t.Errorf("read %s: %s", path, got)
			}
		}
		if got := ask(t, h, map[string]any{"do": "write", "path": "/tmp/gantry-escape"}); !strings.Contains(got, "permission denied") {
			t.Errorf("write: %s", got)
		}
	}
	if !strings.Contains(lacks, "cutting off the network") {
		if got := ask(t, h, map[string]any{"do": "dial", "path": listener.Addr().String()}); got == "done" {
			t.Error("it reaches the network")
		}
	}
}

func TestACharmsProcessEndsWithItsAgent(t *testing.T) {
	h := newHost(t)
	pid, err := strconv.Atoi(strings.Fields(ask(t, h, map[string]any{"do": "whoami"}))[1])
	if err != nil {
		t.Fatal(err)
	}
	h.Close()
	if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
		t.Fatalf("process %d after Close: %v", pid, err)
	}
	if _, err := h.Reconcile(t.Context(), charm, input(nil)); !errors.Is(err, model.ErrUnavailable) {
		t.Fatalf("a closed host answers: %v", err)
	}
}

func TestACallRunsInAProcessOfItsOwn(t *testing.T) {
	h := newHost(t)
	got, err := h.Call(t.Context(), charm, "", effect.Invocation{Name: "echo", Args: map[string]string{"say": "hello"}})
	if err != nil || got != "hello" {
		t.Fatalf("%q, %v", got, err)
	}
	if got, err = h.Call(t.Context(), charm, "", effect.Invocation{Name: "print", Args: map[string]string{"say": "clean"}}); err != nil || got != "clean" {
		t.Fatalf("what a call prints spoils its result: %q, %v", got, err)
	}
	_, err = h.RunAction(t.Context(), charm, "", effect.Invocation{Name: "echo"})
	if err == nil || !strings.Contains(err.Error(), "has no actions") {
		t.Fatalf("an action of a charm without: %v", err)
	}
}

func TestAPanicInACallDoesNotTellWhatItHeld(t *testing.T) {
	_, err := newHost(t).Call(t.Context(), charm, "", effect.Invocation{Name: "panic", Args: map[string]string{"secret": "hunter2"}})
	if err == nil || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), "probe.Call") {
		t.Fatalf("got %v", err)
	}
}

func TestACallIsKilledWithItsGroupAtTheTimeout(t *testing.T) {
	h := newHost(t)
	file := filepath.Join(t.TempDir(), "pid")
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := h.Call(ctx, charm, "", effect.Invocation{Name: "linger", Args: map[string]string{"pid": file}})
		ended <- err
	}()
	pid := waitForPID(t, file)
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	deadline := time.Now().Add(5 * time.Second)
	for running(pid) {
		if time.Now().After(deadline) {
			t.Fatalf("its child %d lives on", pid)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func TestACallRunsAsItsUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	h := hostOf(t, reachableCopy(t))
	got, err := h.Call(t.Context(), charm, "nobody", effect.Invocation{Name: "whoami"})
	if err != nil || got != "65534" {
		t.Fatalf("uid %q, %v", got, err)
	}
	if _, err := h.Call(t.Context(), charm, "no-such-user", effect.Invocation{Name: "whoami"}); !errors.Is(err, model.ErrNotFound) {
		t.Fatalf("an unknown user: %v", err)
	}
}

func TestInProcessAnswersAsAHostDoes(t *testing.T) {
	p := host.InProcess{"probe": probe{}}
	want, err := p.Reconcile(t.Context(), charm, input(nil))
	if err != nil || want.Version != "probe/0" {
		t.Fatalf("%q, %v", want.Version, err)
	}
	if _, err := p.Reconcile(t.Context(), charm, input(map[string]any{"do": "panic"})); !errors.Is(err, plugin.ErrPanic) {
		t.Fatalf("a panic: %v", err)
	}
	if _, err := p.Reconcile(t.Context(), effect.Charm{Name: "other"}, input(nil)); !errors.Is(err, model.ErrNotFound) {
		t.Fatalf("a charm that is not there: %v", err)
	}
	if got, err := p.Call(t.Context(), charm, "", effect.Invocation{Name: "echo", Args: map[string]string{"say": "hi"}}); err != nil || got != "hi" {
		t.Fatalf("%q, %v", got, err)
	}
}

func BenchmarkReconcileRoundTrip(b *testing.B) {
	h := newHost(b)
	in := input(map[string]any{"port": int64(5432), "profile": "production"})
	ask(b, h, nil)
	var took []time.Duration
	for b.Loop() {
		start := time.Now()
		if _, err := h.Reconcile(b.Context(), charm, in); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
}

func BenchmarkFirstAnswer(b *testing.B) {
	for b.Loop() {
		h := newHost(b)
		ask(b, h, nil)
		h.Close()
	}
}

func TestACharmsProcessEndsThoughItsAgentWasKilled(t *testing.T) {
	if dir := os.Getenv("GANTRY_TEST_AGENT"); dir != "" {
		agentToBeKilled(t, dir)
	}
	dir := publicDir(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	agent := exec.Command(self, "-test.run", "^"+t.Name()+"$")
	agent.Env = append(os.Environ(), "GANTRY_TEST_AGENT="+dir, "TMPDIR="+dir)
	if err := agent.Start(); err != nil {
		t.Fatal(err)
	}
	pid := waitForPID(t, filepath.Join(dir, "pid"))
	if !running(pid) {
		t.Fatal("the charm's process did not run")
	}
	if err := agent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = agent.Wait()
	for deadline := time.Now().Add(5 * time.Second); running(pid); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the charm's process %d lives on", pid)
		}
	}
}

// agentToBeKilled asks a charm, says which process answered, and waits.
func agentToBeKilled(t *testing.T, dir string) {
	answer := strings.Fields(ask(t, newHost(t), map[string]any{"do": "whoami"}))
	if err := os.WriteFile(filepath.Join(dir, "pid.new"), []byte(answer[1]), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(dir, "pid.new"), filepath.Join(dir, "pid")); err != nil {
		t.Fatal(err)
	}
	select {}
}

func TestADirectoryThatIsTooLongForASocketIsRefused(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("x", 100))
	if _, err := host.New(host.Config{Dir: dir, Log: slog.New(slog.DiscardHandler)}); !errors.Is(err, model.ErrInvalid) {
		t.Fatalf("got %v", err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Fatal("the directory was made")
	}
}
