package sdktest

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/go-cmp/cmp"

	"github.com/gantry-orchestrator/gantry/model/effect"
)

var update = flag.Bool("update", false, "rewrite golden files")

// Golden compares the units, as Text shows them, with testdata/NAME.golden;
// `go test -update` rewrites it.
func (m *Model) Golden(name string) {
	m.t.Helper()
	var b strings.Builder
	for _, u := range m.Units() {
		fmt.Fprintf(&b, "== %s: %s %q\n%s", u.name, u.want.Status.Level, u.want.Status.Message, Text(u.want))
	}
	compare(m.t, name, b.String())
}

// GoldenSteps compares what all units have done since their last Forget with
// testdata/NAME.golden, one step a line, with its reason.
func (m *Model) GoldenSteps(name string) {
	m.t.Helper()
	var b strings.Builder
	for _, u := range m.units {
		for _, s := range u.done {
			fmt.Fprintf(&b, "%s: %s (%s)\n", u.name, s.Name(), s.Why)
		}
	}
	compare(m.t, name, b.String())
}

func compare(t T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatalf("%v", err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatalf("%v", err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v; run go test -update to write it", err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Fatalf("%s (-golden +got); run go test -update if it is right:\n%s", file, diff)
	}
}

// Text writes a Desired for a person to read: what there should be, without
// what is empty. Secrets show as ${NAME-OF-FIELD}.
func Text(d effect.Desired) string {
	var b strings.Builder
	for _, p := range d.Packages {
		fmt.Fprintf(&b, "%s %s\n", p.ID, p.Version)
	}
	for _, s := range d.Software {
		fmt.Fprintf(&b, "%s %s\n", s.ID, s)
	}
	for _, f := range d.Files {
		fmt.Fprintf(&b, "%s %s %04o %s:%s\n%s", f.ID, f.Path, f.Mode, f.Owner, f.Group, indent(contentText(f.Content)))
	}
	for _, v := range d.Volumes {
		fmt.Fprintf(&b, "%s %s %04o %s:%s incarnation %s\n", v.ID, v.Path, v.Mode, v.Owner, v.Group, v.Incarnation)
	}
	for _, s := range d.Services {
		fmt.Fprintf(&b, "%s %s\n", s.ID, strings.Join(s.Command, " "))
		facts(&b, map[string]string{
			"user": s.User, "uses": join(s.Uses), "restart on": join(s.RestartOn), "reload on": join(s.ReloadOn), "volume": string(s.Volume),
			"health": string(s.Health), "turn": turnText(s.Turn), "stopped": boolText(s.Stopped),
		})
	}
	for _, t := range d.Tasks {
		fmt.Fprintf(&b, "%s key %s: %s%s\n", t.ID, t.Key, t.Run.Call, strings.Join(t.Run.Command, " "))
		facts(&b, map[string]string{"scope": string(t.Scope), "after": join(t.After), "turn": turnText(t.Turn)})
	}
	for _, p := range d.Probes {
		fmt.Fprintf(&b, "probe %s\n", p.ID)
	}
	for _, bag := range d.Bags {
		whose := "unit"
		if bag.Application {
			whose = "application"
		}
		fmt.Fprintf(&b, "bag %d %s\n", bag.Relation, whose)
		facts(&b, bag.Data)
	}
	for _, r := range d.Records {
		fmt.Fprintf(&b, "record %s %s = %s\n", r.Scope, r.Name, r.Value)
	}
	for _, s := range d.Secrets {
		fmt.Fprintf(&b, "secret %s %s: %s\n", s.Scope, s.Name, strings.Join(fieldsOf(s), ", "))
	}
	for _, h := range d.Holds {
		fmt.Fprintf(&b, "hold %s: %s\n", h.Subject, h.Reason)
	}
	facts(&b, map[string]string{"partial": d.Partial, "reached": d.Reached, "version": d.Version})
	return b.String()
}

func facts(b *strings.Builder, lines map[string]string) {
	for _, name := range slices.Sorted(maps.Keys(lines)) {
		if lines[name] != "" {
			fmt.Fprintf(b, "    %s: %s\n", name, lines[name])
		}
	}
}

func contentText(c effect.Content) string {
	var b strings.Builder
	for _, s := range c {
		if s.Secret != nil {
			fmt.Fprintf(&b, "${%s}", s.Secret.Field)
			continue
		}
		b.WriteString(s.Text)
	}
	return b.String()
}

func indent(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString("    | " + strings.TrimSuffix(line, "\n") + "\n")
	}
	return b.String()
}

func join(ids []effect.ID) string {
	var all []string
	for _, id := range ids {
		all = append(all, string(id))
	}
	return strings.Join(all, ", ")
}

func turnText(t *effect.Turn) string {
	if t == nil {
		return ""
	}
	return fmt.Sprintf("%s, limit %d, rank %d", t.Name, max(t.Limit, 1), t.Rank)
}

func boolText(b bool) string {
	if b {
		return "yes"
	}
	return ""
}
