package sandbox

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gantry-orchestrator/gantry/engine/provider"
	"github.com/gantry-orchestrator/gantry/engine/provider/providertest"
	"github.com/gantry-orchestrator/gantry/model"
)

func create(t testing.TB, p *Provider, s provider.Spec) provider.Instance {
	t.Helper()
	i, err := p.Create(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func purge(t testing.TB, p *Provider) {
	t.Helper()
	if err := p.Purge(context.WithoutCancel(t.Context())); err != nil {
		t.Error(err)
	}
}

// sh runs a script in a machine and returns what it said.
func sh(t *testing.T, p *Provider, uuid, script string) string {
	t.Helper()
	var out bytes.Buffer
	err := p.Exec(t.Context(), uuid, []string{"sh", "-c", script}, provider.Stdio{Out: &out, Err: &out})
	if err != nil {
		t.Errorf("%s: %v: %s", script, err, out.String())
	}
	return strings.TrimSpace(out.String())
}

func TestAMachineIsItsOwnHost(t *testing.T) {
	p := openAt(t, t.TempDir())
	defer purge(t, p)
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	i := create(t, p, provider.Spec{
		UUID: "m0", Hostname: "alpha",
		Files: map[string]provider.File{"/etc/gantry/agent.json": {Content: []byte("token"), Mode: 0o600}},
	})
	for script, want := range map[string]string{
		"hostname":                              "alpha",
		"cat /etc/hostname":                     "alpha",
		"getent hosts alpha | awk '{print $1}'": i.Address.String(),
		"tr '\\0' ' ' </proc/1/cmdline":         "/usr/lib/gantry/gantry providertest-machine",
		"stat -c %a:%U /etc/gantry/agent.json":  "600:root",
		"stat -c %a:%U /run/gantry":             "700:root",
		"ls -A /root /home /var/lib/gantry 2>/dev/null | grep -v : | grep . || echo empty": "empty",
		"ls " + secret + " 2>/dev/null || echo hidden":                                     "hidden",
		"ls " + p.cfg.StateDir + " 2>/dev/null || echo hidden":                             "hidden",
		"ls -d /.gantry-old-root 2>/dev/null || echo gone":                                 "gone",
		"echo 1 2>/dev/null >/proc/sys/kernel/sysrq || echo protected":                     "protected",
		"echo 1024 >/proc/sys/net/core/somaxconn && cat /proc/sys/net/core/somaxconn":      "1024",
		"touch /usr/lib/gantry/x 2>/dev/null || echo protected":                            "protected",
		"touch /dev/shm/x /tmp/x && echo x >/dev/null && head -c1 /dev/urandom | wc -c":    "1",
		"readlink /dev/ptmx":      "pts/ptmx",
		"grep ^0: /proc/1/cgroup": "0::/",
	} {
		if got := sh(t, p, "m0", script); got != want {
			t.Errorf("%s: %q, want %q", script, got, want)
		}
	}
}

func TestLimitsOfTheSpecAreThoseOfTheControlGroup(t *testing.T) {
	p := openAt(t, t.TempDir())
	defer purge(t, p)
	i := create(t, p, provider.Spec{UUID: "m0", Hostname: "alpha", Constraints: model.Constraints{MemMiB: 256, Cores: 1}})
	if i.Message != "" {
		t.Skip(i.Message)
	}
	script := "cat /sys/fs/cgroup/memory.max 2>/dev/null || cat /sys/fs/cgroup/memory/memory.limit_in_bytes"
	if got := sh(t, p, "m0", script); got != strconv.Itoa(256<<20) {
		t.Errorf("memory limit inside is %s, want 256 MiB", got)
	}
	script = "cut -d' ' -f1 /sys/fs/cgroup/cpu.max 2>/dev/null || cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us"
	if got := sh(t, p, "m0", script); got != strconv.Itoa(cpuPeriod) {
		t.Errorf("cpu quota inside is %s, want one core's", got)
	}
	script = "d=/sys/fs/cgroup/pids; [ -d $d ] || d=/sys/fs/cgroup; mkdir $d/service && ls -d $d/service && rmdir $d/service"
	if got := sh(t, p, "m0", script); !strings.HasSuffix(got, "/service") {
		t.Errorf("a group of a service: %q", got)
	}
}

func TestKillEndsWhatExecStartedToo(t *testing.T) {
	p := openAt(t, t.TempDir())
	defer purge(t, p)
	create(t, p, provider.Spec{UUID: "m0", Hostname: "alpha"})
	sh(t, p, "m0", "mkdir -p /sys/fs/cgroup/freezer/service; setsid sleep 1000 >/dev/null 2>&1 & echo $! >/tmp/pid")
	if n := len(processes(p.groups.dirs("m0")[0])); n != 2 {
		t.Errorf("its control group has %d processes, want the first and the sleep", n)
	}
	if err := p.Kill(t.Context(), "m0"); err != nil {
		t.Fatal(err)
	}
	if left := processes(p.groups.dirs("m0")[0]); slices.ContainsFunc(left, living) {
		t.Errorf("processes %v outlived the kill", left)
	}
}

func TestExecReportsTheExitCodeAndEndsWithItsContext(t *testing.T) {
	p := openAt(t, t.TempDir())
	defer purge(t, p)
	create(t, p, provider.Spec{UUID: "m0", Hostname: "alpha"})
	err := p.Exec(t.Context(), "m0", []string{"sh", "-c", "exit 7"}, provider.Stdio{})
	if exit := (*provider.ExitError)(nil); !errors.As(err, &exit) || exit.Code != 7 {
		t.Errorf("exec gave %v, want exit code 7", err)
	}
	if err := p.Exec(t.Context(), "m0", []string{"no-such-command"}, provider.Stdio{}); err == nil || !strings.Contains(err.Error(), "not found") {
		t.Errorf("an unknown command gave %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := p.Exec(ctx, "m0", []string{"sleep", "1000"}, provider.Stdio{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("exec past its deadline gave %v", err)
	}
	if err := p.Kill(t.Context(), "m0"); err != nil {
		t.Fatal(err)
	}
	if err := p.Exec(t.Context(), "m0", []string{"true"}, provider.Stdio{}); !errors.Is(err, model.ErrUnavailable) {
		t.Errorf("exec in a dead machine gave %v, want unavailable", err)
	}
}

// reachable reports whether a machine answers, if only that nobody listens.
func reachable(i provider.Instance) bool {
	dialer := net.Dialer{Timeout: 300 * time.Millisecond}
	conn, err := dialer.Dial("tcp", net.JoinHostPort(i.Address.String(), "1"))
	if err == nil {
		_ = conn.Close()
	}
	return err == nil || errors.Is(err, syscall.ECONNREFUSED)
}

func TestAnIsolatedMachineIsCutOffUntilItIsHealed(t *testing.T) {
	p := openAt(t, t.TempDir())
	defer purge(t, p)
	i := create(t, p, provider.Spec{UUID: "m0", Hostname: "alpha"})
	if !reachable(i) {
		t.Fatal("a new machine does not answer")
	}
	if err := p.Isolate(t.Context(), "m0"); err != nil || reachable(i) {
		t.Errorf("isolated (%v), but it answers", err)
	}
	if again := create(t, p, provider.Spec{UUID: "m0", Hostname: "alpha"}); again.PID != i.PID {
		t.Error("isolation killed it")
	}
	if err := p.Heal(t.Context(), "m0"); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); !reachable(i); {
		if time.Now().After(deadline) {
			t.Fatal("healed, but it does not answer")
		}
	}
	if err := p.Isolate(t.Context(), "m1"); !errors.Is(err, model.ErrNotFound) {
		t.Errorf("isolating an unknown machine gave %v", err)
	}
}

func TestHostsAreResolvedByRunningAndLaterMachines(t *testing.T) {
	p := openAt(t, t.TempDir())
	defer purge(t, p)
	a := create(t, p, provider.Spec{UUID: "m0", Hostname: "alpha"})
	if err := p.Hosts(t.Context(), []provider.HostEntry{{Name: "postgresql-0.leop.gantry", Address: a.Address}}); err != nil {
		t.Fatal(err)
	}
	create(t, p, provider.Spec{UUID: "m1", Hostname: "beta"})
	for _, uuid := range []string{"m0", "m1"} {
		if got := sh(t, p, uuid, "getent hosts postgresql-0.leop.gantry"); !strings.HasPrefix(got, a.Address.String()+" ") {
			t.Errorf("machine %s resolves it as %q, want %v", uuid, got, a.Address)
		}
	}
}

func TestAMachineCannotLeadItsHostsFileToTheHost(t *testing.T) {
	p := openAt(t, t.TempDir())
	defer purge(t, p)
	create(t, p, provider.Spec{UUID: "m0", Hostname: "alpha"})
	victim := t.TempDir()
	sh(t, p, "m0", "mv /etc /etc.moved && ln -s "+victim+" /etc")
	if err := p.Hosts(t.Context(), nil); err == nil {
		t.Error("hosts were written through a link")
	}
	if found, _ := os.ReadDir(victim); len(found) > 0 {
		t.Errorf("the host got %v", found)
	}
}

func TestASharedDirectoryIsOneForAllMachinesAndOutlivesThem(t *testing.T) {
	p := openAt(t, t.TempDir())
	defer purge(t, p)
	shared := []provider.Mount{{Host: filepath.Join(t.TempDir(), "repository"), Inside: "/var/lib/backup"}}
	create(t, p, provider.Spec{UUID: "m0", Hostname: "alpha", Shared: shared})
	create(t, p, provider.Spec{UUID: "m1", Hostname: "beta", Shared: shared})
	sh(t, p, "m0", "echo kept >/var/lib/backup/file")
	if got := sh(t, p, "m1", "cat /var/lib/backup/file"); got != "kept" {
		t.Errorf("the other machine reads %q", got)
	}
	for _, uuid := range []string{"m0", "m1"} {
		if err := p.Destroy(t.Context(), uuid); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(filepath.Join(shared[0].Host, "file")); err != nil {
		t.Errorf("the shared directory lost a file: %v", err)
	}
}

func TestAnInitThatCannotStartIsAnErrorThatSaysWhy(t *testing.T) {
	p := openAt(t, t.TempDir())
	defer purge(t, p)
	p.cfg.Init = func(provider.Instance) []string { return []string{"/no/such/program"} }
	if _, err := p.Create(t.Context(), provider.Spec{UUID: "m0", Hostname: "alpha"}); err == nil || !strings.Contains(err.Error(), "/no/such/program") {
		t.Errorf("error %v, want one that names the program", err)
	}
	p.cfg.Init = providertest.InitCommand
	create(t, p, provider.Spec{UUID: "m0", Hostname: "alpha"})
}

func TestThisHostCarriesWhatItIsSaidToCarry(t *testing.T) {
	needRoot(t)
	h := Detect(t.TempDir())
	if h.Namespaces != nil || h.Overlay != nil || h.Firewall != nil {
		t.Errorf("detected %+v on a host where the other tests pass", h)
	}
}

func BenchmarkMachine(b *testing.B) {
	p := openAt(b, b.TempDir())
	defer purge(b, p)
	var made, ended time.Duration
	for b.Loop() {
		start := time.Now()
		create(b, p, provider.Spec{UUID: "m0", Hostname: "alpha"})
		made += time.Since(start)
		start = time.Now()
		if err := p.Destroy(b.Context(), "m0"); err != nil {
			b.Fatal(err)
		}
		ended += time.Since(start)
	}
	b.ReportMetric(float64(made.Milliseconds())/float64(b.N), "create-ms")
	b.ReportMetric(float64(ended.Milliseconds())/float64(b.N), "destroy-ms")
}
