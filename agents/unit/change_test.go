package unit_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/gantry-orchestrator/gantry/agents/unit"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// crowd draws an intent with some of ten units in each of some relations.
func crowd(t *rapid.T, label string) effect.Intent {
	in := effect.Intent{Generation: rapid.Uint64Max(9).Draw(t, label+" generation")}
	for id := range model.RelationID(3) {
		if rapid.Bool().Draw(t, label+" without relation") {
			continue
		}
		r := effect.Relation{ID: id}
		for n := range 10 {
			if kind := rapid.IntRange(0, 3).Draw(t, label+" unit"); kind > 0 {
				r.Units = append(r.Units, effect.Remote{
					Unit: model.UnitName{Application: "db", Number: n}, Gone: kind == 1, Bag: map[string]string{"said": fmt.Sprint(kind)},
				})
			}
		}
		if rapid.IntRange(0, 5).Draw(t, label+" order") == 0 {
			slices.Reverse(r.Units)
		}
		in.Spec.Relations = append(in.Spec.Relations, r)
	}
	in.Hash = in.Spec.Hash()
	return in
}

func TestAJournalHoldsTheIntentThatItsEntriesMake(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var live, read unit.Journal
		for i := range 4 {
			in := crowd(t, fmt.Sprint(i))
			entry := live.Next(in)
			b, err := json.Marshal(entry)
			if err != nil {
				t.Fatal(err)
			}
			var again unit.Entry
			if err := json.Unmarshal(b, &again); err != nil {
				t.Fatal(err)
			}
			live, read = live.Apply(entry), read.Apply(again)
			if diff := cmp.Diff(in, live.Intent); diff != "" {
				t.Fatal(diff)
			}
			if hash := read.Intent.Spec.Hash(); hash != in.Hash {
				t.Fatalf("what is read has another spec: %s", cmp.Diff(in, read.Intent))
			}
		}
	})
}

func TestAnEntryHoldsOnlyUnitsThatChanged(t *testing.T) {
	r := effect.Relation{ID: 1}
	for n := range 100 {
		r.Units = append(r.Units, effect.Remote{Unit: model.UnitName{Application: "db", Number: n}, Bag: map[string]string{"said": "a"}})
	}
	j := unit.Journal{}.Apply(unit.Entry{Intent: &effect.Intent{Spec: effect.Spec{Relations: []effect.Relation{r}}}})
	units := slices.Clone(r.Units)
	units[7].Bag = map[string]string{"said": "b"}
	for n := range units {
		if n != 7 {
			units[n].Bag = map[string]string{"said": "a"} // equal, and another map
		}
	}
	r.Units = slices.Delete(units, 3, 4)
	e := j.Next(effect.Intent{Spec: effect.Spec{Relations: []effect.Relation{r}}})
	want := []unit.SeenChange{{
		Relation: 1, Left: []model.UnitName{{Application: "db", Number: 3}},
		New: []effect.Remote{{Unit: model.UnitName{Application: "db", Number: 7}, Bag: map[string]string{"said": "b"}}},
	}}
	if diff := cmp.Diff(want, e.Change.Seen); diff != "" {
		t.Error(diff)
	}
}
