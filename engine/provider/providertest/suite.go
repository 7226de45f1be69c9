package providertest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gantry-orchestrator/gantry/engine/provider"
	"github.com/gantry-orchestrator/gantry/model"
)

// Harness is what the suite needs of a provider under test.
type Harness struct {
	// Open opens the provider of an install, or opens it again as another
	// process would. Equal names are one install for the time of the test.
	Open func(t *testing.T, install string) Machines
	// Read and Write reach a file in a running machine.
	Read  func(t *testing.T, p Machines, i provider.Instance, path string) string
	Write func(t *testing.T, p Machines, i provider.Instance, path, content string)
	// Host takes what there is on the host; nil where machines are not real, or
	// where others change the host at the same time.
	Host func(testing.TB) Snapshot
	// Steps are where Crash can interrupt a creation.
	Steps []string
	// Crash makes the next creation end at a step as a crash would.
	Crash func(p Machines, step string)
}

// Machines is what all providers can do.
type Machines interface {
	provider.Provider
	provider.Stopper
	provider.Killer
	provider.Watcher
}

const (
	first  = "0f8fad5b-d9cb-469f-a165-70867728950e"
	second = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
)

// deadline ends a test that would hang.
const deadline = 60 * time.Second

func spec(uuid, hostname string) provider.Spec {
	return provider.Spec{
		UUID: uuid, Model: "leop", Name: "0", Hostname: hostname, Base: provider.BaseHost,
		Files: map[string]provider.File{"/etc/gantry/agent.json": {Content: []byte("token"), Mode: 0o600}},
	}
}

// Run checks that a provider does what package provider asks for. Each test
// purges what it made, and ends with the host as it was.
func Run(t *testing.T, h Harness) {
	for _, c := range []struct {
		rule string
		test func(*testing.T, context.Context, Harness)
	}{
		{"a machine is created once however often it is asked for", createIsIdempotent},
		{"a spec that no machine could have is refused", invalidIsRefused},
		{"all machines are listed, ordered by UUID", listIsOrdered},
		{"a machine is destroyed once, and an absent one is success", destroyIsIdempotent},
		{"a killed machine comes back with its disk and address", killKeepsDisk},
		{"a machine that is destroyed and created again is new", destroyLosesDisk},
		{"files of the spec are there at the start", filesAreWritten},
		{"another process adopts the machines that run", reopenAdopts},
		{"down stops the machines and keeps their disks", downKeepsDisks},
		{"two installs on one host do not touch each other", installsCoexist},
		{"a watch tells of a machine that died", watchTells},
		{"a creation that crashed is finished by the next", crashIsFinished},
		{"a creation that crashed is removed by destroy", crashIsDestroyed},
	} {
		t.Run(c.rule, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), deadline)
			defer cancel()
			var before Snapshot
			if h.Host != nil {
				before = h.Host(t)
			}
			c.test(t, ctx, h)
			for _, install := range []string{"one", "two"} {
				must(t, h.Open(t, install).Purge(ctx))
			}
			if h.Host == nil {
				return
			}
			if diff := h.Host(t).Since(before); len(diff) > 0 {
				t.Errorf("the host is not as it was:\n%s", strings.Join(diff, "\n"))
			}
		})
	}
}

func createIsIdempotent(t *testing.T, ctx context.Context, h Harness) {
	p := h.Open(t, "one")
	i := create(t, ctx, p, spec(first, "alpha"))
	if i.State != provider.Running || i.UUID != first || i.Model != "leop" || i.Name != "0" || !i.Address.IsValid() || i.PID == 0 {
		t.Errorf("created %+v, want a running machine as specified", i)
	}
	if again := create(t, ctx, p, spec(first, "alpha")); again.PID != i.PID || again.Address != i.Address {
		t.Errorf("created again %+v, want the same %+v", again, i)
	}
}

func invalidIsRefused(t *testing.T, ctx context.Context, h Harness) {
	p := h.Open(t, "one")
	for name, change := range map[string]func(*provider.Spec){
		"a UUID that leaves the directory": func(s *provider.Spec) { s.UUID = "../x" },
		"a host name with a space":         func(s *provider.Spec) { s.Hostname = "a b" },
		"a package that is an option":      func(s *provider.Spec) { s.Packages = []string{"--purge"} },
		"a relative file":                  func(s *provider.Spec) { s.Files = map[string]provider.File{"etc/x": {}} },
		"a share of the root":              func(s *provider.Spec) { s.Shared = []provider.Mount{{Host: "/srv/x", Inside: "/"}} },
	} {
		s := spec(first, "alpha")
		change(&s)
		if _, err := p.Create(ctx, s); !errors.Is(err, model.ErrInvalid) {
			t.Errorf("%s: error %v, want invalid", name, err)
		}
	}
	if all := list(t, ctx, p); len(all) > 0 {
		t.Errorf("refused specs made %+v", all)
	}
}

func listIsOrdered(t *testing.T, ctx context.Context, h Harness) {
	p := h.Open(t, "one")
	b := create(t, ctx, p, spec(second, "beta"))
	a := create(t, ctx, p, spec(first, "alpha"))
	if a.Address == b.Address {
		t.Errorf("both machines have the address %v", a.Address)
	}
	if all := list(t, ctx, p); len(all) != 2 || all[0].UUID != first || all[1].UUID != second {
		t.Errorf("listed %+v, want both in order", all)
	}
}

func destroyIsIdempotent(t *testing.T, ctx context.Context, h Harness) {
	p := h.Open(t, "one")
	create(t, ctx, p, spec(first, "alpha"))
	for range 2 {
		must(t, p.Destroy(ctx, first))
		if all := list(t, ctx, p); len(all) > 0 {
			t.Errorf("after destroy there is %+v", all)
		}
	}
}

func killKeepsDisk(t *testing.T, ctx context.Context, h Harness) {
	p := h.Open(t, "one")
	i := create(t, ctx, p, spec(first, "alpha"))
	h.Write(t, p, i, "/srv/kept", "data")
	must(t, p.Kill(ctx, first))
	if all := list(t, ctx, p); len(all) != 1 || all[0].State != provider.Stopped || all[0].Message == "" || all[0].PID != 0 {
		t.Errorf("after kill there is %+v, want it stopped with a reason", all)
	}
	again := create(t, ctx, p, spec(first, "alpha"))
	if again.Address != i.Address || again.State != provider.Running {
		t.Errorf("came back as %+v, want it running at %v", again, i.Address)
	}
	if got := h.Read(t, p, again, "/srv/kept"); got != "data" {
		t.Errorf("its disk has %q, want what was written", got)
	}
}

func destroyLosesDisk(t *testing.T, ctx context.Context, h Harness) {
	p := h.Open(t, "one")
	h.Write(t, p, create(t, ctx, p, spec(first, "alpha")), "/srv/lost", "data")
	must(t, p.Destroy(ctx, first))
	if got := h.Read(t, p, create(t, ctx, p, spec(first, "alpha")), "/srv/lost"); got != "" {
		t.Errorf("a new machine has %q from an old disk", got)
	}
}

func filesAreWritten(t *testing.T, ctx context.Context, h Harness) {
	p := h.Open(t, "one")
	i := create(t, ctx, p, spec(first, "alpha"))
	if got := h.Read(t, p, i, "/etc/gantry/agent.json"); got != "token" {
		t.Errorf("agent.json is %q, want what the spec says", got)
	}
}

func reopenAdopts(t *testing.T, ctx context.Context, h Harness) {
	i := create(t, ctx, h.Open(t, "one"), spec(first, "alpha"))
	again := h.Open(t, "one")
	if all := list(t, ctx, again); len(all) != 1 || all[0].PID != i.PID || all[0].State != provider.Running || all[0].Address != i.Address {
		t.Errorf("another process sees %+v, want %+v", all, i)
	}
	if got := create(t, ctx, again, spec(first, "alpha")); got.PID != i.PID {
		t.Errorf("another process started it again as %d, was %d", got.PID, i.PID)
	}
}

func downKeepsDisks(t *testing.T, ctx context.Context, h Harness) {
	p := h.Open(t, "one")
	i := create(t, ctx, p, spec(first, "alpha"))
	h.Write(t, p, i, "/srv/kept", "data")
	must(t, p.Down(ctx))
	if all := list(t, ctx, p); len(all) != 1 || all[0].State != provider.Stopped {
		t.Errorf("after down there is %+v, want it stopped", all)
	}
	again := create(t, ctx, p, spec(first, "alpha"))
	if got := h.Read(t, p, again, "/srv/kept"); got != "data" || again.Address != i.Address {
		t.Errorf("came back at %v with %q, want %v with what was written", again.Address, got, i.Address)
	}
}

func installsCoexist(t *testing.T, ctx context.Context, h Harness) {
	one, two := h.Open(t, "one"), h.Open(t, "two")
	a := create(t, ctx, one, spec(first, "alpha"))
	b := create(t, ctx, two, spec(first, "alpha"))
	if a.PID == b.PID || a.Address == b.Address {
		t.Errorf("two installs share %+v and %+v", a, b)
	}
	must(t, one.Purge(ctx))
	if all := list(t, ctx, h.Open(t, "two")); len(all) != 1 || all[0].PID != b.PID || all[0].State != provider.Running {
		t.Errorf("after the other's purge there is %+v, want %+v", all, b)
	}
}

func watchTells(t *testing.T, ctx context.Context, h Harness) {
	p := h.Open(t, "one")
	create(t, ctx, p, spec(first, "alpha"))
	ctx, cancel := context.WithCancel(ctx)
	died, ended := make(chan string, 8), make(chan error, 1)
	go func() { ended <- p.Watch(ctx, func(uuid string) { died <- uuid }) }()
	for range 2 {
		create(t, ctx, p, spec(second, "beta"))
		must(t, p.Kill(ctx, second))
		select {
		case uuid := <-died:
			if uuid != second {
				t.Errorf("watch told of %s, want %s", uuid, second)
			}
		case <-ctx.Done():
			t.Fatal("watch told of no death")
		}
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("watch ended with %v, want the context's reason", err)
	}
}

func crashIsFinished(t *testing.T, ctx context.Context, h Harness) {
	for _, step := range h.Steps {
		crash(t, ctx, h, step)
		again := h.Open(t, "one")
		i := create(t, ctx, again, spec(first, "alpha"))
		if all := list(t, ctx, again); i.State != provider.Running || len(all) != 1 {
			t.Errorf("after a crash at %s there is %+v, want one running machine", step, all)
		}
		must(t, again.Destroy(ctx, first))
	}
}

func crashIsDestroyed(t *testing.T, ctx context.Context, h Harness) {
	for _, step := range h.Steps {
		crash(t, ctx, h, step)
		again := h.Open(t, "one")
		must(t, again.Destroy(ctx, first))
		if all := list(t, ctx, again); len(all) > 0 {
			t.Errorf("after a crash at %s and a destroy there is %+v", step, all)
		}
	}
}

func crash(t *testing.T, ctx context.Context, h Harness, step string) {
	t.Helper()
	p := h.Open(t, "one")
	h.Crash(p, step)
	if i, err := p.Create(ctx, spec(first, "alpha")); err == nil {
		t.Errorf("a creation that crashed at %s gave %+v", step, i)
	}
}

func create(t *testing.T, ctx context.Context, p Machines, s provider.Spec) provider.Instance {
	t.Helper()
	i, err := p.Create(ctx, s)
	must(t, err)
	return i
}

func list(t *testing.T, ctx context.Context, p Machines) []provider.Instance {
	t.Helper()
	all, err := p.List(ctx)
	must(t, err)
	if !slices.IsSortedFunc(all, func(a, b provider.Instance) int { return strings.Compare(a.UUID, b.UUID) }) {
		t.Errorf("listed out of order: %+v", all)
	}
	return all
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
