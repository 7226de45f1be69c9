package metrics

import (
	"flag"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/gantry-orchestrator/gantry/model/effect"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

var update = flag.Bool("update", false, "rewrite the table of docs/observability.md")

// everything is a reading that lacks nothing.
func everything() Reading {
	return Reading{
		Controller: "c", Version: "1", Leads: true, SnapshotAge: time.Second, BackupAge: time.Second, Drill: &Drill{Passed: true},
		Contact: map[string]time.Duration{"b": 1}, Lag: map[string]uint64{"b": 1}, Units: map[UnitsKey]int{{"m", "active"}: 1},
		Health: operator.Health{Findings: []operator.Finding{{Check: "clock", Level: operator.FindingWarn}}},
		Pulses: []Pulse{{Model: "m", Machine: "0", Pulse: effect.Pulse{Services: map[string]int{"running": 1}}}},
	}
}

// shown are the names that are read once everything has happened.
func shown(t *testing.T, r Reading) (names []string) {
	t.Helper()
	m := New(func() Reading { return r })
	m.Committed(time.Second, nil)
	m.Requested("r", "OK", time.Second, false)
	families, err := m.Gatherer().Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if strings.HasPrefix(f.GetName(), "gantry_") {
			names = append(names, f.GetName())
			if f.GetHelp() == "" {
				t.Errorf("%s says nothing of itself", f.GetName())
			}
		}
	}
	return names
}

func TestWhatIsServedIsWhatTheCatalogueHas(t *testing.T) {
	var known []string
	for _, e := range Catalogue() {
		known = append(known, e.Name)
	}
	if got := shown(t, everything()); !slices.Equal(got, known) {
		t.Errorf("served %q\nthe catalogue has %q", got, known)
	}
	for _, name := range shown(t, Reading{}) {
		if slices.Contains([]string{"gantry_agents", "gantry_units", "gantry_ha_degraded", "gantry_member_contact_seconds"}, name) {
			t.Errorf("who does not lead tells %s, of which it knows nothing", name)
		}
	}
}

func TestTheDocumentHasTheCatalogue(t *testing.T) {
	const path = "../../../docs/observability.md"
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	table := regexp.MustCompile(`(?s)<!-- metrics -->\n.*<!-- end of metrics -->`)
	want := table.ReplaceAllLiteralString(string(b), "<!-- metrics -->\n"+Table()+"<!-- end of metrics -->")
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if want != string(b) {
		t.Errorf("%s has other metrics: run go test ./engine/observe/metrics -update", path)
	}
}

func TestRulesAskForMetricsAndLabelsThatThereAre(t *testing.T) {
	var rules struct {
		Groups []struct {
			Name  string
			Rules []struct {
				Alert, Expr, For    string
				Labels, Annotations map[string]string
			}
		}
	}
	if err := yaml.Unmarshal([]byte(Rules), &rules); err != nil {
		t.Fatal(err)
	}
	names := map[string][]string{}
	for _, e := range Catalogue() {
		names[e.Name] = e.Labels
		if e.Type == "histogram" {
			names[e.Name+"_bucket"] = e.Labels
		}
	}
	metric := regexp.MustCompile(`(gantry_\w+)(\{(\w+)=[^}]*\})?`)
	seen := 0
	for _, g := range rules.Groups {
		for _, r := range g.Rules {
			seen++
			if r.Alert == "" || r.Annotations["summary"] == "" || r.Annotations["do"] == "" || r.Labels["severity"] == "" {
				t.Errorf("incomplete: %+v", r)
			}
			if _, err := time.ParseDuration(r.For); r.For != "" && err != nil {
				t.Errorf("%s: %v", r.Alert, err)
			}
			if strings.Count(r.Expr, "(") != strings.Count(r.Expr, ")") {
				t.Errorf("%s: parentheses of %s", r.Alert, r.Expr)
			}
			for _, m := range metric.FindAllStringSubmatch(r.Expr, -1) {
				labels, ok := names[m[1]]
				if !ok || m[3] != "" && !slices.Contains(labels, m[3]) {
					t.Errorf("%s asks for %s, which is not there", r.Alert, m[0])
				}
			}
		}
	}
	if seen < 8 {
		t.Errorf("only %d rules", seen)
	}
}
