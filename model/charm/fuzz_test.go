package charm_test

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gantry-orchestrator/gantry/model/charm"
)

// placed is a line of an error that begins with its position.
var placed = regexp.MustCompile(`^f\.yaml:[1-9][0-9]*:[1-9][0-9]*: `)

func FuzzParseCharm(f *testing.F) {
	for _, data := range fixtures(f, ".yaml") {
		if len(data) < 1500 { // longer seeds slow the search down
			f.Add(data)
		}
	}
	f.Add([]byte(database))
	f.Fuzz(func(t *testing.T, data []byte) {
		_, metaErr := charm.ParseMetadata("f.yaml", data)
		_, configErr := charm.ParseConfig("f.yaml", data)
		_, actionsErr := charm.ParseActions("a", "f.yaml", data)
		_, craftErr := charm.ParseCharmcraft("f.yaml", data)
		c, err := charm.Parse("f.yaml", data)
		for _, err := range []error{metaErr, configErr, actionsErr, craftErr, err} {
			if err == nil {
				continue
			}
			if first, _, _ := strings.Cut(err.Error(), "\n"); !placed.MatchString(first + " ") {
				t.Errorf("an error without its place: %v", err)
			}
		}
		if err == nil && craftErr != nil && !strings.Contains(craftErr.Error(), "description") && !strings.Contains(craftErr.Error(), "metadata v") && !strings.Contains(craftErr.Error(), "subordinate") {
			t.Errorf("charm.yaml is read and the same charmcraft.yaml is not: %v", craftErr)
		}
		if err == nil {
			checkEncoding(t, c)
		}
	})
}

func checkEncoding(t *testing.T, c *charm.Charm) {
	t.Helper()
	data, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	var again charm.Charm
	if err := json.Unmarshal(data, &again); err != nil {
		t.Fatalf("cannot read what was written: %v\n%s", err, data)
	}
	data2, err := json.Marshal(&again)
	if diff := cmp.Diff(string(data), string(data2)); err != nil || diff != "" {
		t.Errorf("written, read and written it differs: %v %s", err, diff)
	}
}
