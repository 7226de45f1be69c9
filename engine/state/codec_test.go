package state

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"sort"
	"strings"
	"testing"

	"github.com/fxamacker/cbor/v2"
	"pgregory.net/rapid"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/charm"
)

func TestADecodedStateIsTheSameInBytesIndexesAndMeaning(t *testing.T) {
	s := must1(t, base(t), relate(), SetConfig{Model: "m", Application: "pg", Set: charm.Settings{"level": charm.IntValue(4)}})
	got, err := Decode(bytes.NewReader(bytesOf(t, s)))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(bytesOf(t, got), bytesOf(t, s)) {
		t.Error("bytes differ")
	}
	m := MachineRef{"m", "0"}
	if !reflect.DeepEqual(got.UnitsOn(m), s.UnitsOn(m)) || !reflect.DeepEqual(got.Relations(ApplicationRef{"m", "tm"}), s.Relations(ApplicationRef{"m", "tm"})) {
		t.Error("indexes differ")
	}
	a, _ := got.Application(ApplicationRef{"m", "pg"})
	if a.Config["level"] != charm.IntValue(4) {
		t.Errorf("config %v", a.Config)
	}
}

func TestEveryOpHasAKindAndSurvivesTheLog(t *testing.T) {
	names := map[string]bool{}
	for _, k := range kinds {
		if names[k.name] {
			t.Errorf("two ops are called %s", k.name)
		}
		names[k.name] = true
		op := reflect.New(k.typ).Elem().Interface().(Op)
		b, err := EncodeCommands([]Command{command(Agents, op)})
		if err != nil {
			t.Fatalf("%s: %v", k.name, err)
		}
		got, err := DecodeCommands(b)
		if err != nil {
			// The zero EndpointRef has no text.
			if _, ok := op.(AddRelation); ok {
				continue
			}
			t.Fatalf("%s: %v", k.name, err)
		}
		if reflect.TypeOf(got[0].Ops[0]) != k.typ {
			t.Errorf("%s came back as %T", k.name, got[0].Ops[0])
		}
	}
}

func TestWhatANewerVersionWroteIsNamedAsSuch(t *testing.T) {
	b, err := EncodeCommands([]Command{command(Operator, AddMachine{Model: "m"})})
	if err != nil {
		t.Fatal(err)
	}
	var plain []map[string]any
	if err := cbor.Unmarshal(b, &plain); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		rule   string
		change func(op map[any]any)
	}{
		{"an op", func(op map[any]any) { op["kind"] = "teleport" }},
		{"a field of an op", func(op map[any]any) { op["body"].(map[any]any)["warp"] = 9 }},
	} {
		t.Run(test.rule, func(t *testing.T) {
			var copied []map[string]any
			if err := cbor.Unmarshal(b, &copied); err != nil {
				t.Fatal(err)
			}
			test.change(copied[0]["ops"].([]any)[0].(map[any]any))
			newer, err := cbor.Marshal(copied)
			if err != nil {
				t.Fatal(err)
			}
			_, err = DecodeCommands(newer)
			if !errors.Is(err, model.ErrUnavailable) || !strings.Contains(fmt.Sprint(err), "another version of gantry") {
				t.Errorf("error %v, want it to name version skew", err)
			}
		})
	}
}

func TestASnapshotCutShortIsRefused(t *testing.T) {
	b := bytesOf(t, base(t))
	for _, cut := range []int{0, 1, len(b) / 2, len(b) - 1} {
		if _, err := Decode(bytes.NewReader(b[:cut])); err == nil {
			t.Errorf("the first %d of %d bytes were taken for a state", cut, len(b))
		}
	}
}

func TestPropertyKeysAreDistinctAndNumbersSortAsNumbers(t *testing.T) {
	id := rapid.StringMatching(`[a-z0-9]{1,6}[/:-][a-z0-9]{1,20}`)
	rapid.Check(t, func(t *rapid.T) {
		a, b := id.Draw(t, "a"), id.Draw(t, "b")
		if (a == b) != bytes.Equal(radixKey("m", a), radixKey("m", b)) {
			t.Fatalf("%q and %q have one key", a, b)
		}
		n := rapid.SliceOfN(rapid.IntRange(0, 1<<40), 2, 9).Draw(t, "numbers")
		sort.Ints(n)
		for i := 1; i < len(n); i++ {
			x, y := radixKey("m", fmt.Sprintf("app/%d", n[i-1])), radixKey("m", fmt.Sprintf("app/%d", n[i]))
			if bytes.Compare(x, y) > 0 {
				t.Fatalf("%d sorts behind %d", n[i-1], n[i])
			}
		}
	})
}

// A batch is as good as one by one, whatever is in it.
func TestPropertyABatchIsTheSameAsOneByOne(t *testing.T) {
	start := base(t)
	rapid.Check(t, func(t *rapid.T) {
		op := rapid.OneOf(
			rapid.Just[Op](AddMachine{Model: "m"}),
			rapid.Just(relate()),
			rapid.Just[Op](RemoveApplication{Model: "m", Application: "tm"}),
			rapid.Map(rapid.IntRange(0, 3), func(n int) Op { return AddUnits{Model: "m", Application: "pg", Count: n} }),
			rapid.Map(rapid.IntRange(0, 4), func(n int) Op {
				return RemoveUnits{Model: "m", Units: []model.UnitName{{Application: "pg", Number: n}}}
			}),
			rapid.Map(rapid.IntRange(0, 4), func(n int) Op {
				return Advance{Subject: ref(fmt.Sprint("pg/", n)).Key(), To: rapid.SampledFrom([]Stage{Teardown, Bury, Forget}).Example(n)}
			}),
		)
		commands := rapid.SliceOfN(rapid.Map(rapid.SliceOfN(op, 1, 3), func(ops []Op) Command {
			c := command(Operator, ops...)
			c.Key = fmt.Sprint(len(ops))
			return c
		}), 1, 12).Draw(t, "commands")
		for i := range commands {
			commands[i].Key = rapid.SampledFrom([]string{"", "a", "b", fmt.Sprint(i)}).Draw(t, "key")
		}
		batched, outcomes := start.ApplyBatch(commands)
		one := start
		for i, c := range commands {
			var err error
			one, _, err = one.Apply(c)
			if fmt.Sprint(err) != fmt.Sprint(outcomes[i].Err) {
				t.Fatalf("command %d: %v in a batch, %v alone", i, outcomes[i].Err, err)
			}
		}
		var x, y bytes.Buffer
		if err := errors.Join(batched.Encode(&x), one.Encode(&y)); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(x.Bytes(), y.Bytes()) {
			t.Fatalf("a batch gives another state than its commands one by one")
		}
	})
}

func BenchmarkApply(b *testing.B) {
	s := base(b)
	var commands []Command
	for i := range 100 {
		commands = append(commands, command(Agents, publish("pg/1", 0, publicationOf(i))))
	}
	b.Run("one", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			s, _, _ = s.Apply(commands[i%100])
		}
	})
	b.Run("batch of 100", func(b *testing.B) {
		for b.Loop() {
			s, _ = s.ApplyBatch(commands)
		}
	})
}
