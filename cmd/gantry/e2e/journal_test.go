package e2e

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/gantry-orchestrator/gantry/model/effect"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

// bookmark is a place in a unit's journal on its machine.
type bookmark struct {
	path string
	size int
	head string
}

// bookmarks are the ends of the journals of an application's units.
func (a *archive) bookmarks(t testing.TB, app string) map[string]bookmark {
	t.Helper()
	marks := map[string]bookmark{}
	for unit, m := range a.machines(t) {
		if name, _, _ := strings.Cut(unit, "/"); name != app {
			continue
		}
		path := m.files(t) + "/var/lib/gantry/journal/" + strings.ReplaceAll(unit, "/", "-")
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		marks[unit] = bookmark{path: path, size: len(text), head: string(text[:min(8, len(text))])}
	}
	return marks
}

// quiet are the kinds of step that a plan does not list: they touch no host,
// or only say what is known.
var quiet = []effect.StepKind{effect.Update, effect.Conclude, effect.Publish, effect.Propose, effect.Mint}

// performed are the steps that the journals say were done since, as
// "unit: verb effect".
func performed(t testing.TB, marks map[string]bookmark) []string {
	t.Helper()
	found := map[string]bool{}
	for unit, mark := range marks {
		text, err := os.ReadFile(mark.path)
		if err != nil {
			t.Fatal(err)
		}
		if len(text) < mark.size || !bytes.HasPrefix(text, []byte(mark.head)) {
			t.Fatalf("the journal of %s was compacted meanwhile: what was performed is not known", unit)
		}
		for line := range bytes.Lines(text[mark.size:]) {
			_, record, _ := bytes.Cut(line, []byte(" "))
			var entry struct {
				Done *struct {
					Step effect.Step `json:"step"`
				} `json:"done"`
			}
			if err := json.Unmarshal(record, &entry); err != nil {
				t.Fatalf("journal of %s: %v", unit, err)
			}
			if entry.Done != nil && !slices.Contains(quiet, entry.Done.Step.Kind) {
				found[unit+": "+verb(string(entry.Done.Step.Kind))+" "+string(entry.Done.Step.ID)] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// planned are the effects of a plan on an application, in the same words.
func planned(p operator.Planned, app string) []string {
	found := map[string]bool{}
	for _, u := range p.Units {
		if string(u.Unit.Application) != app {
			continue
		}
		for _, e := range u.Effects {
			if !slices.Contains(quiet, effect.StepKind(e.Action)) {
				found[u.Unit.String()+": "+verb(e.Action)+" "+e.Effect] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// verb is one word for what a plan and a journal call differently.
func verb(word string) string {
	switch word {
	case "write", "stamp", "add", "change", "install", "start":
		return "put"
	}
	return word
}
