package unit_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/gantry-orchestrator/gantry/agents/unit"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

func TestDebouncing(t *testing.T) {
	up := func(v string) unit.Reading { return unit.Reading{Value: v} }
	down := unit.Reading{Failed: true}
	tests := []struct {
		name     string
		probe    effect.Probe
		readings []unit.Reading
		known    bool
		value    string
	}{
		{"a first reading counts at once by default", effect.Probe{}, []unit.Reading{up("a")}, true, "a"},
		{"a new value waits for rise equal readings", effect.Probe{Rise: 2}, []unit.Reading{up("a"), up("a"), up("b")}, true, "a"},
		{"a new value counts after rise equal readings", effect.Probe{Rise: 2}, []unit.Reading{up("a"), up("a"), up("b"), up("b")}, true, "b"},
		{"a value that flickers never counts", effect.Probe{Rise: 2}, []unit.Reading{up("a"), up("a"), up("b"), up("c"), up("b")}, true, "a"},
		{"a failed reading between breaks the row", effect.Probe{Rise: 2}, []unit.Reading{up("a"), down, up("a")}, false, ""},
		{"two failures keep the value", effect.Probe{}, []unit.Reading{up("a"), down, down}, true, "a"},
		{"three failures make it unknown, not false", effect.Probe{}, []unit.Reading{up("a"), down, down, down}, false, ""},
		{"a success starts the count of failures anew", effect.Probe{}, []unit.Reading{up("a"), down, down, up("a"), down, down}, true, "a"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var d unit.Debounced
			for _, r := range tt.readings {
				d = d.Take(tt.probe, r)
			}
			if d.Known != tt.known || d.Fact.Value != tt.value {
				t.Errorf("known %t value %q, want %t %q", d.Known, d.Fact.Value, tt.known, tt.value)
			}
		})
	}
}

// Whatever is read, a known value was once read Rise times in a row.
func TestAFactWasAlwaysRead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := effect.Probe{Rise: rapid.IntRange(1, 3).Draw(t, "rise"), Fall: rapid.IntRange(1, 3).Draw(t, "fall")}
		var d unit.Debounced
		row, last, proven := 0, "", map[string]bool{}
		for range rapid.IntRange(0, 20).Draw(t, "n") {
			r := unit.Reading{Failed: rapid.Bool().Draw(t, "failed")}
			if r.Failed {
				row = 0
			} else {
				r.Value = rapid.SampledFrom([]string{"a", "b"}).Draw(t, "value")
				if row > 0 && last == r.Value {
					row++
				} else {
					row, last = 1, r.Value
				}
				proven[r.Value] = proven[r.Value] || row >= p.Rise
			}
			d = d.Take(p, r)
			if d.Known && !proven[d.Fact.Value] {
				t.Fatalf("fact %q was never read %d times in a row", d.Fact.Value, p.Rise)
			}
		}
	})
}
