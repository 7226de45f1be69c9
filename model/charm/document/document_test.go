package document_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/charm/document"
)

func parse(t *testing.T, text string) *document.Node {
	t.Helper()
	documents, err := document.Parse("f.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return documents[0]
}

func TestEveryValueKnowsItsPlace(t *testing.T) {
	root := parse(t, "a:\n  - x\n  - é: {b: 1}\n")
	b := root.Field("a").Items[1].Field("é").Field("b")
	if want := (model.Position{File: "f.yaml", Line: 3, Column: 12}); b.Pos != want {
		t.Errorf("at %v, want %v", b.Pos, want)
	}
}

func TestScalarsHaveTheTypesOfYAML(t *testing.T) {
	tests := map[string]struct {
		kind document.Kind
		typ  document.Type
	}{
		"x": {document.Scalar, document.Text}, "'1'": {document.Scalar, document.Text}, "2001-01-01": {document.Scalar, document.Text},
		"yes": {document.Scalar, document.Text}, "1": {document.Scalar, document.Int}, "0x1f": {document.Scalar, document.Int},
		"1.5": {document.Scalar, document.Float}, "true": {document.Scalar, document.Bool}, "~": {document.Null, document.Text},
		"[]": {document.List, document.Text}, "{}": {document.Map, document.Text},
	}
	for text, want := range tests {
		if n := parse(t, text); n.Kind != want.kind || n.Type != want.typ {
			t.Errorf("%s: kind %d type %d, want %+v", text, n.Kind, n.Type, want)
		}
	}
}

func TestValuesAreReadInAllNotations(t *testing.T) {
	if v, ok := parse(t, "0x1f").Integer(); v != 31 || !ok {
		t.Errorf("0x1f is %d, %v", v, ok)
	}
	if v, ok := parse(t, "1_000").Integer(); v != 1000 || !ok {
		t.Errorf("1_000 is %d, %v", v, ok)
	}
	if _, ok := parse(t, "99999999999999999999").Integer(); ok {
		t.Error("a number past 64 bits was read")
	}
	if v, ok := parse(t, "1e3").Number(); v != 1000 || !ok {
		t.Errorf("1e3 is %v, %v", v, ok)
	}
	for text, want := range map[string]bool{"true": true, "Yes": true, "on": true, "no": false, "OFF": false} {
		if v, ok := parse(t, text).Boolean(); v != want || !ok {
			t.Errorf("%s is %v, %v", text, v, ok)
		}
	}
}

func TestWithLeavesTheNodeAsItWas(t *testing.T) {
	root := parse(t, "{a: 1, b: 2}")
	key := root.Fields[0].Key
	changed, without := root.With(key, parse(t, "3")), root.With(key, nil)
	if changed.Field("a").Value != "3" || changed.Fields[0].Key.Value != "a" || without.Field("a") != nil || len(without.Fields) != 1 {
		t.Errorf("changed to %v and %v", changed.Fields, without.Fields)
	}
	if root.Field("a").Value != "1" || len(root.Fields) != 2 {
		t.Errorf("the node was changed: %v", root.Fields)
	}
}

func TestMistakesComeInTheOrderOfTheirPlacesAndOnce(t *testing.T) {
	root := parse(t, "{a: 1,\n b: 2}")
	var r document.Reader
	r.Errorf(root.Field("b"), "late")
	r.Errorf(root.Field("a"), "early")
	r.Errorf(root.Field("b"), "late")
	r.Fail(model.Position{}, errors.New("nowhere"))
	r.Fail(root.Field("b").Pos, model.ErrNotFound)
	want := "nowhere: invalid\nf.yaml:1:5: early: invalid\nf.yaml:2:5: late: invalid\nf.yaml:2:5: not found"
	for range 2 {
		if diff := cmp.Diff(want, r.Err().Error()); diff != "" {
			t.Error(diff)
		}
	}
	if err := new(document.Reader).Err(); err != nil {
		t.Errorf("a reader without mistakes: %v", err)
	}
}

func TestWhatIsNotYAMLIsToldAtItsPlace(t *testing.T) {
	tests := map[string]struct{ text, want string }{
		"an open list":                {"a: [\n", "f.yaml:1:1: expected YAML: did not find expected node content: invalid"},
		"a tab for indentation":       {"a:\n\tb: 1\n", "f.yaml:2:2: expected YAML: found character that cannot start any token: invalid"},
		"bytes that are not UTF-8":    {"a: 1\nbé: \xff", "f.yaml:2:5: expected UTF-8 text, found other bytes: invalid"},
		"an anchor that is not there": {"a: 1\nb: *x", "f.yaml:2:4: expected YAML: unknown anchor 'x' referenced: invalid"},
		"an anchor within itself":     {"a: &x [*x]", "f.yaml:1:4: anchor \"x\" contains itself: invalid"},
		"a list as a key":             {"? [a]\n: b\n", "f.yaml:1:3: expected a word as key, found a list: invalid"},
		"a text to merge":             {"<<: x\n", "f.yaml:1:5: expected a map to merge, found the text \"x\": invalid"},
		"a list of texts to merge":    {"<<: [x]\n", "f.yaml:1:6: expected maps to merge, found the text \"x\": invalid"},
		"a tag":                       {"a: !x 1\n", "f.yaml:1:4: expected a plain value, found the tag !x: invalid"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := document.Parse("f.yaml", []byte(test.text))
			if err == nil || err.Error() != test.want {
				t.Errorf("got  %v\nwant %s", err, test.want)
			}
			if !errors.Is(err, model.ErrInvalid) {
				t.Errorf("class %v", model.Class(err))
			}
		})
	}
}

func TestRepeatedKeysAreKeptAsMistakesAndTheLastCounts(t *testing.T) {
	root := parse(t, "a: 1\nb: {c: 1, c: 2}\na: 3\n")
	if root.Field("a").Value != "3" || root.Field("b").Field("c").Value != "2" {
		t.Error("the last of equal keys does not count")
	}
	var r document.Reader
	r.Unrepeated(root)
	want := "f.yaml:2:11: key \"c\" is written twice in this map; keep one: invalid\nf.yaml:3:1: key \"a\" is written twice in this map; keep one: invalid"
	if diff := cmp.Diff(want, r.Err().Error()); diff != "" {
		t.Error(diff)
	}
}
