package bundle_test

import (
	"bytes"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/gantry-orchestrator/gantry/model/bundle"
	"github.com/gantry-orchestrator/gantry/model/charm"
)

// placed is a line of an error that begins with its position.
var placed = regexp.MustCompile(`^f\.yaml:[1-9][0-9]*:[1-9][0-9]*: `)

// equal compares what two bundles declare and not where it is written.
var equal = cmp.Options{cmpopts.IgnoreUnexported(bundle.Bundle{}), cmp.AllowUnexported(charm.Value{})}

func FuzzParseBundle(f *testing.F) {
	for _, data := range fixtures(f) {
		if len(data) < 1500 { // longer seeds slow the search down
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		b, warnings, err := bundle.Parse("f.yaml", data, nil)
		for _, w := range warnings {
			if !placed.MatchString(w.String()) {
				t.Errorf("a warning without its place: %v", w)
			}
		}
		if err != nil {
			checkPlaced(t, err)
			return
		}
		if err := b.Validate(); err != nil {
			checkPlaced(t, err)
		}
		if err := bundle.Unsupported(b); err != nil {
			checkPlaced(t, err)
		}
		encoded := bundle.Encode(b)
		again, _, err := bundle.Parse("f.yaml", encoded, nil)
		if err != nil {
			t.Fatalf("cannot read what was written: %v\n%s", err, encoded)
		}
		if diff := cmp.Diff(b, again, equal); diff != "" {
			t.Errorf("written and read it differs (-before +after):\n%s\n%s", diff, encoded)
		}
		if !bytes.Equal(encoded, bundle.Encode(again)) {
			t.Errorf("equal bundles are written differently:\n%s\n%s", encoded, bundle.Encode(again))
		}
		if changes := bundle.Diff(b, again, true); len(changes) != 0 {
			t.Errorf("equal bundles differ by %v", changes)
		}
	})
}

// checkPlaced checks the first line: a text of the input may hold line breaks.
func checkPlaced(t *testing.T, err error) {
	t.Helper()
	first, _, _ := strings.Cut(err.Error(), "\n")
	if !placed.MatchString(first + " ") {
		t.Errorf("an error without its place: %v", err)
	}
}
