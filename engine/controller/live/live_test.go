package live

import (
	"testing"
	"time"

	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

func TestAMachineIsSolvedAgainWhenItFallsSilentAndWhenItIsHeardAgain(t *testing.T) {
	now := time.Unix(1000, 0)
	l := New(func() time.Time { return now }, nil)
	st, outcomes := state.Empty().ApplyBatch([]state.Command{
		{Version: state.FormatVersion, Now: now, Origin: state.Operator, Ops: []state.Op{state.AddModel{Model: "m", UUID: "7f0e9a52-11a5-4f0d-9d0f-0a55d1c0ffee"}}},
		{Version: state.FormatVersion, Now: now, Origin: state.Operator, Ops: []state.Op{state.AddMachine{Model: "m"}}},
	})
	for _, o := range outcomes {
		if o.Err != nil {
			t.Fatal(o.Err)
		}
	}
	machine := state.MachineRef{Model: "m", Machine: "0"}
	l.Heard(machine)
	l.Dirty(st) // everything, at first
	for _, step := range []struct {
		what  string
		after time.Duration
		heard bool
		dirty bool
	}{
		{"a beat in time", time.Second, true, false},
		{"nothing for less than a term", effect.LeaseTerm - time.Second, false, false},
		{"nothing for a term", time.Second, false, true},
		{"nothing still", time.Minute, false, false},
		{"a beat, looked at within the second", 0, true, true},
		{"a beat after that", time.Millisecond, true, false},
	} {
		now = now.Add(step.after)
		if step.heard {
			l.Heard(machine)
		}
		if d := l.Dirty(st); d.Empty() == step.dirty {
			t.Errorf("%s: dirty is %v", step.what, !d.Empty())
		}
	}
}
