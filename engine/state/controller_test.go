package state

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/gantry-orchestrator/gantry/model"
)

func member(id string, level int) Op {
	return SetController{ID: id, Address: "10.0.0.1:17170", Version: "1", Level: level}
}

func TestAControllerJoinsStaysAndLeavesForGood(t *testing.T) {
	two := must1(t, Empty(), member("a", 1), member("b", 1))
	one := must1(t, two, RemoveController{ID: "b"})
	for _, test := range []struct {
		rule string
		on   State
		op   Op
		err  error
	}{
		{"a third joins", two, member("c", 1), nil},
		{"a member moves", two, SetController{ID: "a", Address: "10.0.0.9:1", Version: "2", Level: 1}, nil},
		{"one without what is active is refused", two, member("c", 0), model.ErrConflict},
		{"one without an ID is refused", two, member("", 1), model.ErrInvalid},
		{"who left does not come back", one, member("b", 1), model.ErrDenied},
		{"leaving twice is leaving", one, RemoveController{ID: "b"}, nil},
		{"the last one stays", one, RemoveController{ID: "a"}, model.ErrConflict},
		{"a stranger cannot leave", one, RemoveController{ID: "z"}, model.ErrNotFound},
	} {
		t.Run(test.rule, func(t *testing.T) {
			if _, _, err := test.on.Apply(command(Agents, test.op)); !errors.Is(err, test.err) {
				t.Errorf("error %v, want %v", err, test.err)
			}
		})
	}
	if c, ok := one.Controller("b"); !ok || c.Left.IsZero() {
		t.Errorf("who left is not remembered: %+v, %v", c, ok)
	}
	if got := one.Controllers(); len(got) != 1 || got[0].ID != "a" {
		t.Errorf("members %v", got)
	}
}

func TestSayingTheSameOfAControllerChangesNothing(t *testing.T) {
	s := must1(t, Empty(), member("a", 1))
	later := command(Agents, member("a", 1))
	later.Now = epoch.Add(time.Hour)
	_, result, err := s.Apply(later)
	if err != nil || len(result.Changed) > 0 {
		t.Errorf("changed %v, %v", result.Changed, err)
	}
}

func TestFeaturesAreActiveOnceAllMembersHaveThem(t *testing.T) {
	raise := RaiseLevel{Level: 2}
	s := must1(t, Empty(), member("a", 2), member("b", 1))
	if _, _, err := s.Apply(command(Solver, raise)); !errors.Is(err, model.ErrConflict) {
		t.Errorf("raised above a member: %v", err)
	}
	s = must1(t, s, member("b", 2), raise)
	if s.Level() != 2 {
		t.Errorf("level %d", s.Level())
	}
	if _, _, err := s.Apply(command(Agents, member("c", 1))); !errors.Is(err, model.ErrConflict) {
		t.Errorf("an older controller joined: %v", err)
	}
	if _, err := Decode(bytes.NewReader(bytesOf(t, s))); !errors.Is(err, model.ErrUnavailable) {
		t.Errorf("a build of level %d read a state of level 2: %v", KnownLevel, err)
	}
}

// There is always a member once there was one, nobody is both in and out, and
// replicas agree to the byte.
func TestPropertyMembershipNeverEndsAndReplicasAgree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id := rapid.Map(rapid.IntRange(0, 80), func(n int) string { return fmt.Sprint("c", n) })
		op := rapid.OneOf(
			rapid.Map(id, func(id string) Op { return member(id, 1) }),
			rapid.Map(id, func(id string) Op { return RemoveController{ID: id} }),
		)
		a, b := Empty(), Empty()
		gone := map[string]bool{}
		for i, o := range rapid.SliceOfN(op, 1, 200).Draw(t, "ops") {
			c := command(Agents, o)
			c.Now = epoch.Add(time.Duration(i) * time.Second)
			before := len(a.Controllers())
			a, _, _ = a.Apply(c)
			b, _ = b.ApplyBatch([]Command{c})
			if before > 0 && len(a.Controllers()) == 0 {
				t.Fatal("nobody is left")
			}
			if r, ok := o.(RemoveController); ok {
				if row, known := a.Controller(r.ID); known && !row.Left.IsZero() {
					gone[r.ID] = true
				}
			}
			for _, m := range a.Controllers() {
				if gone[m.ID] {
					if _, remembered := a.Controller(m.ID); remembered && len(gone) <= controllersKept {
						t.Fatalf("%s left and is a member", m.ID)
					}
				}
			}
		}
		var x, y bytes.Buffer
		if err := errors.Join(a.Encode(&x), b.Encode(&y)); err != nil {
			t.Fatal(err)
		}
		again, err := Decode(bytes.NewReader(x.Bytes()))
		if err != nil || !bytes.Equal(x.Bytes(), y.Bytes()) || len(again.Controllers()) != len(a.Controllers()) {
			t.Fatalf("replicas differ: %v", err)
		}
	})
}
