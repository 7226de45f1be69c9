package perform_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gantry-orchestrator/gantry/agents/perform"
	"github.com/gantry-orchestrator/gantry/model"
)

// archive is dpkg and apt-get in memory. A package needs those after it.
type archive struct {
	t         *testing.T
	root      string
	installed map[string]string
	offers    map[string][]string
	only      map[string]string // the one version of a package that is left
	calls     []string
	quiet     []bool // whether services were kept from starting, at each install
}

func (a *archive) run(_ context.Context, c perform.Command) (perform.Output, error) {
	if c.Argv[0] == "dpkg-query" {
		var b strings.Builder
		code := 0
		for _, name := range c.Argv[slices.Index(c.Argv, "--")+1:] {
			version, ok := a.installed[name]
			if !ok {
				code = 1
				continue
			}
			b.WriteString("installed " + name + ":amd64 " + name + " " + version + "\n")
		}
		b.WriteString("config-files ghost ghost 1\n")
		return perform.Output{Stdout: b.String(), Code: code, Stderr: "dpkg-query: no packages found"}, nil
	}
	verb, simulate := c.Argv[1], slices.Contains(c.Argv, "--simulate")
	if c.Env["DEBIAN_FRONTEND"] != "noninteractive" || !slices.Contains(c.Argv, "DPkg::Lock::Timeout=120") {
		a.t.Errorf("apt may ask, or give up at once: %q", c.Argv)
	}
	names := c.Argv[slices.Index(c.Argv, "--")+1:]
	if verb == "update" {
		names = nil
	}
	if !simulate {
		a.calls = append(a.calls, strings.TrimSpace(verb+" "+strings.Join(names, " ")))
	}
	var out strings.Builder
	for _, wanted := range names {
		name, version, _ := strings.Cut(wanted, "=")
		needs, offered := a.offers[name]
		if verb == "install" && !offered {
			return perform.Output{Code: 100, Stderr: "E: Unable to locate package " + name}, nil
		}
		if left := a.only[name]; verb == "install" && left != "" && version != "" && version != left {
			return perform.Output{Code: 100, Stderr: "E: Version '" + version + "' for '" + name + "' was not found"}, nil
		}
		if verb == "purge" {
			out.WriteString("Purg " + name + " [1]\n")
			for other, needs := range a.offers {
				if slices.Contains(needs, name) && a.installed[other] != "" {
					out.WriteString("Purg " + other + " [1]\n")
				}
			}
			if !simulate {
				delete(a.installed, name)
			}
			continue
		}
		for _, n := range append([]string{name}, needs...) {
			if a.installed[n] != "" {
				continue
			}
			out.WriteString("Inst " + n + " (1 Debian)\nConf " + n + " (1 Debian)\n")
			if !simulate {
				a.installed[n] = "1"
				if n == name && version != "" {
					a.installed[n] = version
				}
			}
		}
	}
	if verb == "install" && !simulate {
		_, err := os.Stat(filepath.Join(a.root, "usr/sbin/policy-rc.d"))
		a.quiet = append(a.quiet, err == nil)
	}
	return perform.Output{Stdout: out.String()}, nil
}

func newArchive(t *testing.T) (*archive, perform.Apt) {
	root := t.TempDir()
	for _, dir := range []string{"usr/sbin", "var/lib/apt/lists"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	a := &archive{t: t, root: root, installed: map[string]string{"libc": "2"}, offers: map[string][]string{"pg": {"libpq", "libc"}, "psql": {"libpq"}}}
	return a, perform.Apt{Run: a.run, Superuser: true, OwnMachine: true, Root: root, Now: time.Now}
}

func TestAPackageIsInstalledExactlyAndItsAdditionsAreNoted(t *testing.T) {
	a, apt := newArchive(t)
	adds, err := apt.Plan(t.Context(), "pg", "15.1")
	if err != nil || !slices.Equal(adds, []string{"libpq", "pg"}) {
		t.Fatalf("adds %q, %v", adds, err)
	}
	if len(a.installed) != 1 {
		t.Errorf("planning installed %v", a.installed)
	}
	if err := apt.Install(t.Context(), "pg", "15.1"); err != nil {
		t.Fatal(err)
	}
	if v, err := apt.Version(t.Context(), "pg"); err != nil || v != "15.1" {
		t.Errorf("version %q, %v", v, err)
	}
	if want := []string{"update", "install pg=15.1"}; !slices.Equal(a.calls, want) {
		t.Errorf("calls %q, want %q", a.calls, want)
	}
	if !slices.Equal(a.quiet, []bool{true}) {
		t.Error("a package may start services of its own")
	}
	if _, err := os.Stat(filepath.Join(a.root, "usr/sbin/policy-rc.d")); !os.IsNotExist(err) {
		t.Errorf("the policy is left behind: %v", err)
	}
}

func TestWhatIsInstalledIsNeverChanged(t *testing.T) {
	a, apt := newArchive(t)
	a.installed["pg"] = "14"
	if _, err := apt.Plan(t.Context(), "pg", "15"); !errors.Is(err, model.ErrConflict) {
		t.Errorf("error = %v, want a conflict", err)
	}
	if adds, err := apt.Plan(t.Context(), "pg", ""); err != nil || len(adds) != 0 {
		t.Errorf("adds %q, %v", adds, err)
	}
	if err := apt.Install(t.Context(), "pg", "15"); err != nil || a.installed["pg"] != "14" || len(a.calls) != 0 {
		t.Errorf("installed %v by %q, %v", a.installed, a.calls, err)
	}
}

func TestAVersionThatTheArchiveNoLongerHasNeedsAPerson(t *testing.T) {
	a, apt := newArchive(t)
	a.only = map[string]string{"pg": "16"}
	_, err := apt.Plan(t.Context(), "pg", "15")
	if !errors.Is(err, model.ErrConflict) || !strings.Contains(err.Error(), "another version than 15") {
		t.Errorf("error = %v, want a conflict that names the version", err)
	}
	if _, err := apt.Plan(t.Context(), "unheard-of", "15"); !errors.Is(err, model.ErrUnavailable) {
		t.Errorf("error = %v, want one that is tried again: the archive may be away", err)
	}
	if a.installed["pg"] != "" {
		t.Errorf("version %s was taken instead", a.installed["pg"])
	}
}

func TestListsAreFetchedOnlyWhenStale(t *testing.T) {
	a, apt := newArchive(t)
	if err := os.WriteFile(filepath.Join(a.root, "var/lib/apt/lists/deb_main"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := apt.Plan(t.Context(), "pg", ""); err != nil || len(a.calls) != 0 {
		t.Errorf("calls %q, %v", a.calls, err)
	}
	apt.Now = func() time.Time { return time.Now().Add(48 * time.Hour) }
	if _, err := apt.Plan(t.Context(), "pg", ""); err != nil || !slices.Equal(a.calls, []string{"update"}) {
		t.Errorf("calls %q, %v", a.calls, err)
	}
	a.calls = nil
	apt.Now = time.Now
	if _, err := apt.Plan(t.Context(), "none", ""); !errors.Is(err, model.ErrUnavailable) || !slices.Equal(a.calls, []string{"update"}) {
		t.Errorf("calls %q, %v; what the lists lack may be new", a.calls, err)
	}
}

func TestWithoutRootTheCommandIsNamed(t *testing.T) {
	_, apt := newArchive(t)
	apt.Superuser = false
	_, err := apt.Plan(t.Context(), "pg", "15.1")
	if !errors.Is(err, model.ErrDenied) || !strings.Contains(err.Error(), "sudo apt-get install --no-upgrade -y pg=15.1") {
		t.Errorf("error = %v", err)
	}
}

func TestRemovingTakesOnlyWhatNothingElseUses(t *testing.T) {
	a, apt := newArchive(t)
	adds, err := apt.Plan(t.Context(), "pg", "")
	if err != nil {
		t.Fatal(err)
	}
	if err := apt.Install(t.Context(), "pg", ""); err != nil {
		t.Fatal(err)
	}
	none := func(string) bool { return false }
	a.installed["psql"] = "1" // somebody else's, which needs libpq
	if left, err := apt.Remove(t.Context(), adds, none); err != nil || len(left) != 1 || a.installed["pg"] == "" {
		t.Errorf("left %q, %v, installed %v", left, err, a.installed)
	}
	delete(a.installed, "psql")
	if left, err := apt.Remove(t.Context(), adds, none); err != nil || len(left) != 0 || len(a.installed) != 1 {
		t.Errorf("left %q, %v, installed %v", left, err, a.installed)
	}
}

func TestInstalledVersionsAreReadFromDpkg(t *testing.T) {
	if _, err := exec.LookPath("dpkg-query"); err != nil {
		t.Skip("no dpkg on this machine")
	}
	apt := perform.Apt{Run: func(ctx context.Context, c perform.Command) (perform.Output, error) { return c.Run(ctx) }, Root: "/", Now: time.Now}
	if v, err := apt.Version(t.Context(), "dpkg"); err != nil || v == "" {
		t.Errorf("dpkg's version = %q, %v", v, err)
	}
	if v, err := apt.Version(t.Context(), "no-such-package"); err != nil || v != "" {
		t.Errorf("version = %q, %v", v, err)
	}
}
