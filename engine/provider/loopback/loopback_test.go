package loopback

import (
	"bytes"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gantry-orchestrator/gantry/engine/provider"
	"github.com/gantry-orchestrator/gantry/engine/provider/providertest"
)

func TestMain(m *testing.M) {
	providertest.Init()
	providertest.Alone(true)
	os.Exit(m.Run())
}

func openAt(t *testing.T, dir string) *Provider {
	t.Helper()
	p, err := Open(t.Context(), provider.Config{
		StateDir: filepath.Join(dir, "state"), RunDir: filepath.Join(dir, "run"), CacheDir: filepath.Join(dir, "cache"),
		Init: providertest.InitCommand,
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestLoopbackPassesTheSuite(t *testing.T) {
	dir := t.TempDir()
	host := providertest.Leftovers
	if os.Geteuid() != 0 {
		host = nil // others change the host meanwhile
	}
	providertest.Run(t, providertest.Harness{
		Open: func(t *testing.T, install string) providertest.Machines {
			return openAt(t, filepath.Join(dir, install))
		},
		Read: func(t *testing.T, _ providertest.Machines, i provider.Instance, path string) string {
			b, err := os.ReadFile(filepath.Join(i.Root, path))
			if err != nil && !os.IsNotExist(err) {
				t.Fatal(err)
			}
			return string(b)
		},
		Write: func(t *testing.T, _ providertest.Machines, i provider.Instance, path, content string) {
			target := filepath.Join(i.Root, path)
			if err := errors.Join(os.MkdirAll(filepath.Dir(target), 0o755), os.WriteFile(target, []byte(content), 0o600)); err != nil {
				t.Fatal(err)
			}
		},
		Host:  host,
		Steps: createSteps,
		Crash: func(p providertest.Machines, step string) {
			p.(*Provider).step = func(name string) error {
				if name == step {
					return errors.New("crash")
				}
				return nil
			}
		},
	})
}

func open(t *testing.T, s provider.Spec) (*Provider, provider.Instance) {
	t.Helper()
	p := openAt(t, t.TempDir())
	s.UUID, s.Hostname = "m0", "alpha"
	i, err := p.Create(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Purge(t.Context()); err != nil && t.Context().Err() == nil {
			t.Error(err)
		}
	})
	return p, i
}

func TestKillEndsAlsoWhatLeftTheSessionOfTheFirstProcess(t *testing.T) {
	p, _ := open(t, provider.Spec{})
	var out bytes.Buffer
	argv := []string{"sh", "-c", "setsid sleep 1000 >/dev/null 2>&1 & echo $!"}
	if err := p.Exec(t.Context(), "m0", argv, provider.Stdio{Out: &out}); err != nil {
		t.Fatal(err)
	}
	if n := len(p.members("m0")); n != 2 {
		t.Errorf("the machine has %d processes, want its first and the one that left", n)
	}
	if err := p.Kill(t.Context(), "m0"); err != nil {
		t.Fatal(err)
	}
	if left := p.members("m0"); len(left) > 0 {
		t.Errorf("kill left %v", left)
	}
}

func TestExecReportsTheExitCode(t *testing.T) {
	p, i := open(t, provider.Spec{})
	var out bytes.Buffer
	err := p.Exec(t.Context(), "m0", []string{"sh", "-c", "pwd; exit 7"}, provider.Stdio{Out: &out})
	if exit := (*provider.ExitError)(nil); !errors.As(err, &exit) || exit.Code != 7 {
		t.Errorf("exec gave %v, want exit code 7", err)
	}
	if got := strings.TrimSpace(out.String()); got != i.Root {
		t.Errorf("exec ran in %q, want the machine's root %q", got, i.Root)
	}
}

func TestASharedDirectoryIsOneForAllMachinesAndOutlivesThem(t *testing.T) {
	shared := filepath.Join(t.TempDir(), "repository")
	p, i := open(t, provider.Spec{Shared: []provider.Mount{{Host: shared, Inside: "/var/lib/backup"}}})
	if err := os.WriteFile(filepath.Join(i.Root, "var/lib/backup/kept"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := p.Destroy(t.Context(), "m0"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(shared, "kept")); err != nil {
		t.Errorf("the shared directory lost a file: %v", err)
	}
}

func TestMissingPackagesAreNamedWithTheCommandThatInstallsThem(t *testing.T) {
	const installed = "bash 5.2 installed\nless 590 installed\nold 1 config-files\n"
	for name, c := range map[string]struct {
		packages []string
		want     string
	}{
		"nothing is missing":         {[]string{"bash", "less=590"}, ""},
		"one is not there":           {[]string{"bash", "patroni"}, "install --no-install-recommends patroni"},
		"one has another version":    {[]string{"less=600"}, "install --no-install-recommends less=600"},
		"one was removed":            {[]string{"old"}, "install --no-install-recommends old"},
		"several are listed in turn": {[]string{"b", "a"}, "install --no-install-recommends b a"},
	} {
		got := describeMissing(c.packages, installed)
		if !strings.HasSuffix(got, c.want) || (got == "") != (c.want == "") {
			t.Errorf("%s: said %q, want %q", name, got, c.want)
		}
	}
}

func TestASubnetInWhichSomebodyListensIsNotChosen(t *testing.T) {
	one := chooseSubnet("0a1b2c", nil)
	if one.Bits() != 24 || !one.Addr().IsLoopback() || one != chooseSubnet("0a1b2c", nil) {
		t.Errorf("chose %v, want a /24 of 127.0.0.0/8 that the id decides", one)
	}
	other := chooseSubnet("0a1b2c", []netip.Addr{one.Addr().Next()})
	if other.Overlaps(one) {
		t.Errorf("chose %v though somebody listens there", other)
	}
}
