package e2e

import (
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/gantry-orchestrator/gantry/model/operator"
)

// traces are all that an apply which changes nothing must leave alone: the
// services' processes, what packages were touched, the times of files that
// charms write, and the generations of the units' intents.
func (a *archive) traces(t testing.TB) map[string]string {
	t.Helper()
	found := a.services(t)
	for name, m := range a.byName(t) {
		top := m.files(t)
		if log, err := os.Stat(top + "/var/log/dpkg.log"); err == nil {
			found["machine "+name+": dpkg.log"] = log.ModTime().String() + " " + strconv.FormatInt(log.Size(), 10)
		}
		for _, dir := range []string{"/etc", "/var/lib/gantry/config"} {
			err := filepath.WalkDir(top+dir, func(path string, e fs.DirEntry, err error) error {
				if err != nil {
					return err
				}
				info, err := e.Info()
				if err == nil {
					found["machine "+name+": "+strings.TrimPrefix(path, top)] = info.ModTime().String()
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	for unit := range a.machines(t) {
		detail := ask[operator.UnitDetail](t, a.in, a.of("show-unit", unit)...)
		found[unit+": generation"] = strconv.FormatUint(detail.Generation, 10) + " " + detail.Hash
	}
	return found
}

func secondApply(t *testing.T, a *archive) {
	if r := a.in.run(commandLimit, a.of("plan", bundleFile)...); r.code != 0 {
		t.Errorf("plan of what is there already: exit %d, want 0\n%s%s", r.code, r.out, r.err)
	}
	index := a.status(t).Model.Revision
	a.untouched(t, "a second apply", func() {
		r := a.in.run(commandLimit, a.of("apply", bundleFile)...)
		if r.code != 0 || strings.TrimSpace(r.out) != "no changes" {
			t.Errorf("second apply: exit %d, %q; want 0, no changes\n%s", r.code, r.out, r.err)
		}
		a.converge(t, commandLimit)
	})
	if now := a.status(t).Model.Revision; now != index {
		t.Errorf("a second apply made revision %d of %d", now, index)
	}
	overlay := writeOverlay(t, "postgresql", map[string]string{"work_mem": "16MB"})
	a.untouched(t, "a plan", func() {
		if p := a.plan(t, overlay); len(p.Differences) == 0 {
			t.Error("the plan of a change names no difference")
		}
	})
}

// untouched compares traces of before and after something that leaves none.
// Patroni may choose another synchronous standby meanwhile, which its members
// tell each other: what is done leaves a trace each time, that choice does not.
func (a *archive) untouched(t *testing.T, what string, do func()) {
	t.Helper()
	var changed []string
	for range 3 {
		before := a.traces(t)
		do()
		if changed = differ(before, a.traces(t)); len(changed) == 0 {
			return
		}
	}
	t.Errorf("%s touched: %s", what, strings.Join(changed, "; "))
}

// writeOverlay makes a bundle's overlay that sets options of an application.
func writeOverlay(t testing.TB, app string, options map[string]string) string {
	t.Helper()
	var text strings.Builder
	text.WriteString("applications:\n  " + app + ":\n    options:\n")
	for name, value := range options {
		text.WriteString("      " + name + ": " + value + "\n")
	}
	path := filepath.Join(t.TempDir(), "overlay.yaml")
	if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
