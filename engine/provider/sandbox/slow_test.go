package sandbox

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/gantry-orchestrator/gantry/engine/provider"
	"github.com/gantry-orchestrator/gantry/engine/provider/providertest"
)

var postgresql = []string{"pgbackrest", "python3-pysyncobj", "patroni", "postgresql-15"}

func run(ctx context.Context, t *testing.T, p *Provider, uuid string, argv ...string) string {
	t.Helper()
	var out bytes.Buffer
	if err := p.Exec(ctx, uuid, argv, provider.Stdio{Out: &out, Err: &out}); err != nil {
		t.Errorf("%v: %v\n%s", argv, err, out.String())
	}
	return out.String()
}

// TestSlowDebianBaseAndPackageLayer builds a base and a layer from the network
// and starts machines on them. It needs GANTRY_SLOW=1 and about five minutes.
func TestSlowDebianBaseAndPackageLayer(t *testing.T) {
	if os.Getenv(slow) == "" {
		t.Skip("builds images from the network: set " + slow + "=1")
	}
	needRoot(t)
	ctx, dir := t.Context(), t.TempDir()
	before := providertest.Leftovers(t)
	var said atomic.Int32
	p, err := Open(ctx, provider.Config{
		StateDir: filepath.Join(dir, "state"), RunDir: filepath.Join(dir, "run"), CacheDir: filepath.Join(dir, "cache"),
		Init: providertest.InitCommand, Progress: func(provider.Progress) { said.Add(1) },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := p.Purge(context.WithoutCancel(ctx)); err != nil {
			t.Error(err)
		}
		if diff := providertest.Leftovers(t).Since(before); len(diff) > 0 {
			t.Errorf("the host is not as it was:\n%s", strings.Join(diff, "\n"))
		}
	}()
	timed := func(what string, spec provider.Spec) {
		start := time.Now()
		if _, err := p.Create(ctx, spec); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		t.Logf("%s: %v", what, time.Since(start).Round(time.Millisecond))
	}
	timed("base and first machine", provider.Spec{UUID: "m0", Hostname: "plain"})
	timed("second machine", provider.Spec{UUID: "m1", Hostname: "plain-2"})
	timed("layer of postgresql-15 and its machine", provider.Spec{UUID: "m2", Hostname: "pg-0", Packages: postgresql})
	timed("second machine on the layer", provider.Spec{UUID: "m3", Hostname: "pg-1", Packages: append([]string{"patroni"}, postgresql...)})
	if said.Load() < 100 {
		t.Errorf("progress was told %d times, want each package", said.Load())
	}
	var group errgroup.Group
	for i, packages := range [][]string{{"haproxy"}, {"pgbouncer"}, {"haproxy"}} {
		group.Go(func() error {
			start := time.Now()
			_, err := p.Create(ctx, provider.Spec{UUID: "c" + string(rune('0'+i)), Hostname: "c", Packages: packages})
			t.Logf("layer of %v, beside others: %v", packages, time.Since(start).Round(time.Millisecond))
			return err
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ script, want string }{
		{"/usr/lib/postgresql/15/bin/postgres --version", "(PostgreSQL) 15."},
		{"patroni --version", "patroni "},
		{"hostname", "pg-0"},
		{"ls /etc/postgresql", ""},
		{"pgrep postgres || true", ""},
		{"stat -c %U /var/lib/postgresql", "postgres"},
		{"apt-get update -q", "Reading package lists"},
		{"apt-get install -y -q --no-install-recommends less", "Setting up less"},
	} {
		start := time.Now()
		if out := run(ctx, t, p, "m2", "sh", "-c", c.script); !strings.Contains(out, c.want) || c.want == "" && out != "" {
			t.Errorf("%s said %q, want %q", c.script, out, c.want)
		}
		t.Logf("%s: %v", c.script, time.Since(start).Round(time.Millisecond))
	}
	layers, err := filepath.Glob(filepath.Join(dir, "cache/layers/*"))
	if err != nil || len(layers) != 3 {
		t.Errorf("layers are %v (%v), want three", layers, err)
	}
	_, err = p.Create(ctx, provider.Spec{UUID: "m9", Hostname: "none", Packages: []string{"no-such-package-anywhere"}})
	if err == nil || !strings.Contains(err.Error(), "Unable to locate package") {
		t.Errorf("a package that is not there gave %v", err)
	}
	if partial, _ := filepath.Glob(filepath.Join(dir, "cache/*/*.partial")); len(partial) > 0 {
		t.Errorf("a failed build left %v", partial)
	}
}
