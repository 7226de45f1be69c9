package unit

import (
	"testing"
	"time"

	"github.com/gantry-orchestrator/gantry/model/effect"
)

func TestALeaseThatMovesIsNoFlapping(t *testing.T) {
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var moves, alternates []Round
	for i := range 12 {
		r := Round{At: at.Add(time.Duration(i) * time.Second), Desired: string(rune('a' + i%2)), Changed: []effect.ID{"task/configure"}}
		alternates = append(alternates, r)
		r.Token = uint64(i%2) * uint64(i+1) // leads every other round, anew each time
		moves = append(moves, r)
	}
	if got := Flapping(alternates, at.Add(time.Minute)); len(got) != 1 || got[0] != "task/configure" {
		t.Errorf("under one leadership: %v, want task/configure", got)
	}
	if got := Flapping(moves, at.Add(time.Minute)); got != nil {
		t.Errorf("while leadership moves: %v, want none", got)
	}
}

func TestOrdersThatAreCancelledAreNoFlapping(t *testing.T) {
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var rounds []Round
	for i := range 12 {
		r := Round{At: at.Add(time.Duration(i) * time.Second), Desired: "as ever", Changed: []effect.ID{"task/configure"}}
		if i%2 == 1 {
			r.Desired, r.Order = "as ordered", string(rune('a'+i))
		}
		rounds = append(rounds, r)
	}
	if got := Flapping(rounds, at.Add(time.Minute)); got != nil {
		t.Errorf("%v, want none", got)
	}
}
