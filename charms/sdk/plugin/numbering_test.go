package plugin

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gantry-orchestrator/gantry/charms/sdk/plugin/internal/charmpb"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// crowd are n units as others see them, from a number on.
func crowd(from, n int) []effect.Remote {
	var all []effect.Remote
	for i := from; i < from+n; i++ {
		all = append(all, effect.Remote{
			Unit: model.UnitName{Application: "db", Number: i}, Life: model.Alive, Bag: map[string]string{"n": fmt.Sprint(i)},
		})
	}
	return all
}

func seeing(units []effect.Remote) effect.Input {
	return effect.Input{Spec: effect.Spec{
		Model: "m", Unit: model.UnitName{Application: "db", Number: 99},
		Relations: []effect.Relation{{ID: 1, Units: units}, {ID: 2}, {ID: 3, Units: slices.Clone(units)}},
	}}
}

func newKept() *kept { return &kept{units: map[uint64]effect.Remote{}} }

// pose asks once, and tells what arrived and how many units the question brought.
func pose(t *testing.T, n *numbering, k *kept, in effect.Input, all bool) (got effect.Input, known bool, brought int) {
	t.Helper()
	req, units, err := n.question(in, all)
	if err != nil {
		t.Fatal(err)
	}
	got, known, err = k.input(req)
	if err != nil {
		t.Fatal(err)
	}
	n.answered(&charmpb.ReconcileResponse{Keeps: true, Unknown: !known}, units)
	if known {
		if diff := cmp.Diff(in, got); diff != "" {
			t.Errorf("another input arrived: %s", diff)
		}
	}
	return got, known, len(req.GetUnits())
}

func TestAUnitIsSentToAProcessOnce(t *testing.T) {
	n, k, all := &numbering{}, newKept(), crowd(0, 5)
	if _, _, brought := pose(t, n, k, seeing(all), false); brought != 0 {
		t.Error("a process was asked by numbers before it said that it keeps units")
	}
	for i, want := range []int{5, 0, 1, 0} {
		if i == 2 {
			all = slices.Concat(all[1:], crowd(7, 1)) // one went, one came
		}
		if _, known, brought := pose(t, n, k, seeing(all), false); !known || brought != want {
			t.Errorf("question %d brought %d units, not %d; known: %t", i, brought, want, known)
		}
	}
}

func TestAProcessThatKeepsNothingIsSentAll(t *testing.T) {
	n := &numbering{}
	for range 2 {
		req, units, err := n.question(seeing(crowd(0, 3)), false)
		if err != nil {
			t.Fatal(err)
		}
		if len(req.GetSeen()) > 0 || len(req.GetUnits()) > 0 {
			t.Errorf("it was asked by numbers: %v", req)
		}
		n.answered(&charmpb.ReconcileResponse{}, units)
	}
}

func TestAProcessThatDoesNotKnowANumberIsToldAll(t *testing.T) {
	n, all := &numbering{keeps: true}, crowd(0, 4)
	pose(t, n, newKept(), seeing(all), false)
	other := newKept()
	if _, known, _ := pose(t, n, other, seeing(all), false); known {
		t.Fatal("another process knows what it was not told")
	}
	if _, known, brought := pose(t, n, other, seeing(all), true); !known || brought != 4 {
		t.Errorf("it was told %d of 4 units; known: %t", brought, known)
	}
}

func TestUnitsThatAreNoLongerSpokenOfAreForgotten(t *testing.T) {
	n, k := &numbering{keeps: true}, newKept()
	const step = 500
	for from := 0; from < 4*mostNumbered; from += step {
		pose(t, n, k, seeing(crowd(from, step)), false)
		if len(n.units) > mostNumbered+step || len(k.units) > mostNumbered+step {
			t.Fatalf("%d and %d units are kept", len(n.units), len(k.units))
		}
	}
}

func TestWhatACharmDoesToABagTheNextQuestionDoesNotSee(t *testing.T) {
	n, k, all := &numbering{keeps: true}, newKept(), crowd(0, 2)
	for range 2 {
		got, _, _ := pose(t, n, k, seeing(all), false)
		got.Spec.Relations[0].Units[0].Bag["n"] = "spoiled"
	}
}
