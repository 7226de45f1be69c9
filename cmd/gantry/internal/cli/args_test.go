package cli

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestUnitsActionAndParametersArePartedByTheirShape(t *testing.T) {
	tests := map[string]struct {
		words, targets []string
		action         string
		params         []string
		fails          bool
	}{
		"one unit":                           {words: []string{"a/0", "go"}, targets: []string{"a/0"}, action: "go"},
		"several units":                      {words: []string{"a/0", "a/1", "go", "x=1"}, targets: []string{"a/0", "a/1"}, action: "go", params: []string{"x=1"}},
		"an application":                     {words: []string{"a", "restore", "to=a b"}, targets: []string{"a"}, action: "restore", params: []string{"to=a b"}},
		"no action":                          {words: []string{"a/0", "x=1"}, fails: true},
		"a unit where an action should be":   {words: []string{"a/0", "a/1"}, fails: true},
		"a parameter before the action ends": {words: []string{"a/0", "x=1", "go"}, targets: []string{"a/0", "x=1"}, action: "go"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			targets, action, params, err := splitRun(test.words)
			if (err != nil) != test.fails {
				t.Fatalf("error %v", err)
			}
			if !slices.Equal(targets, test.targets) || action != test.action || !slices.Equal(params, test.params) {
				t.Errorf("%v %q %v", targets, action, params)
			}
		})
	}
}

func TestParametersAreTypedAsYAMLHasThem(t *testing.T) {
	got, err := parameters("", []string{
		"n=3", "f=1.5", "b=true", "t=text", "d=2026-03-01 12:00:00", "l=[1, a]", "empty=", "deep.er=x", "q='7'", "inf=.inf",
	}, false)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"n": int64(3), "f": 1.5, "b": true, "t": "text", "d": "2026-03-01 12:00:00", "l": []any{int64(1), "a"}, "empty": "",
		"deep": map[string]any{"er": "x"}, "q": "7", "inf": ".inf",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	texts, err := parameters("", []string{"n=3", "b=true"}, true)
	if diff := cmp.Diff(map[string]any{"n": "3", "b": "true"}, texts); diff != "" || err != nil {
		t.Errorf("as texts: %v\n%s", err, diff)
	}
	for _, wrong := range [][]string{{"n"}, {"n=1", "n=2"}, {"=1"}, {"n=[1"}, {"a=1", "a.b=2"}} {
		if got, err := parameters("", wrong, false); err == nil && !slices.Contains(wrong, "a=1") {
			t.Errorf("%v gave %v", wrong, slices.Collect(maps.Keys(got)))
		}
	}
}

func TestEndsOfWordsAreClipped(t *testing.T) {
	for text, want := range map[string]string{"": "", "abc": "abc", "abcd": "abcd", "abcde": "abc…", "äöüßé": "äöü…"} {
		if got := clip(text, 4); got != want {
			t.Errorf("clip(%q, 4) is %q, want %q", text, got, want)
		}
	}
}

func TestTablesLeaveOutColumnsWithoutContent(t *testing.T) {
	tab := &table{}
	tab.row("A", "B", "C")
	tab.row("a", "", "c")
	tab.row("aa")
	var b writer
	tab.write(&b)
	if want := "A   C\na   c\naa\n"; string(b) != want {
		t.Errorf("%q, want %q", string(b), want)
	}
}

type writer []byte

func (w *writer) Write(b []byte) (int, error) { *w = append(*w, b...); return len(b), nil }

func TestWhatCanStandAtAPlaceOfAUsage(t *testing.T) {
	tests := map[string]struct {
		usage string
		place int
		want  []string
	}{
		"a name":                        {"UNIT TURN", 1, []string{"TURN"}},
		"a name of several kinds":       {"CHARM|BUNDLE [APPLICATION]", 0, []string{"CHARM", "BUNDLE"}},
		"one with a part of it":         {"APPLICATION[:ENDPOINT] APPLICATION[:ENDPOINT]", 1, []string{"APPLICATION", "ENDPOINT"}},
		"what repeats, first":           {"UNIT... ACTION", 0, []string{"UNIT"}},
		"what repeats, or what follows": {"UNIT... ACTION", 2, []string{"UNIT", "ACTION"}},
		"past the end there is nothing": {"[MODEL]", 1, nil},
		"what repeats has no end":       {"[APPLICATION...]", 5, []string{"APPLICATION"}},
	}
	for name, test := range tests {
		if got := nounsAt(strings.Fields(test.usage), test.place); !slices.Equal(got, test.want) {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}
