package state

import (
	"bytes"
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/gantry-orchestrator/gantry/engine/state/tables"
	"github.com/gantry-orchestrator/gantry/model"
)

// What an earlier build wrote is in testdata/earlier: a snapshot, entries of
// the log after it, and the snapshot after those. It had no table of
// controllers, and read nothing that it did not know.
func earlier(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/earlier/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func decoded(t *testing.T, b []byte) State {
	t.Helper()
	s, err := Decode(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestAnEarlierBuildAndThisOneReadAndCommitTheSame(t *testing.T) {
	commands, err := DecodeCommands(earlier(t, "log.cbor"))
	if err != nil {
		t.Fatal(err)
	}
	before := decoded(t, earlier(t, "before.state"))
	after, _ := before.ApplyBatch(commands)
	log, err := EncodeCommands(commands)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		rule  string
		wrote []byte
		file  string
	}{
		{"a snapshot that this build takes is the earlier one's to the byte", bytesOf(t, before), "before.state"},
		{"entries that this build writes are the earlier one's to the byte", log, "log.cbor"},
		{"the same entries lead both to the same state", bytesOf(t, after), "after.state"},
	} {
		t.Run(test.rule, func(t *testing.T) {
			if !bytes.Equal(test.wrote, earlier(t, test.file)) {
				t.Errorf("%d bytes, and %s has %d others", len(test.wrote), test.file, len(earlier(t, test.file)))
			}
		})
	}
	if u, ok := after.Unit(ref("pg/3")); !ok || u.Life != model.Alive || len(after.Controllers()) != 0 {
		t.Errorf("unit pg/3 %+v, controllers %+v", u, after.Controllers())
	}
}

// withTable is a snapshot with another table before the last one.
func withTable(t *testing.T, s State, name tables.Name, rows ...any) []byte {
	t.Helper()
	var last, extra bytes.Buffer
	enc := encMode.NewEncoder(&last)
	if err := s.answers.encode(enc); err != nil {
		t.Fatal(err)
	}
	enc = encMode.NewEncoder(&extra)
	for _, v := range append([]any{section{name, len(rows)}}, rows...) {
		if err := enc.Encode(v); err != nil {
			t.Fatal(err)
		}
	}
	head, ok := bytes.CutSuffix(bytesOf(t, s), last.Bytes())
	if !ok {
		t.Fatal("the answers are not the last table")
	}
	return append(append(head, extra.Bytes()...), last.Bytes()...)
}

func TestATableOfANewerBuildIsPassedOverOnlyWhileItIsEmpty(t *testing.T) {
	s := base(t)
	if got := decoded(t, withTable(t, s, "comet")); !bytes.Equal(bytesOf(t, got), bytesOf(t, s)) {
		t.Error("an empty table changed what was read")
	}
	_, err := Decode(bytes.NewReader(withTable(t, s, "comet", map[string]string{"id": "67P"})))
	if !errors.Is(err, model.ErrUnavailable) || !strings.Contains(err.Error(), `1 rows of table "comet"`) {
		t.Errorf("rows of an unknown table: %v", err)
	}
}

func TestAnOpOfALaterLevelWaitsUntilEveryMemberUnderstandsIt(t *testing.T) {
	typ := reflect.TypeFor[AddMachine]()
	was := byType[typ]
	later := was
	later.level = KnownLevel + 1
	byType[typ] = later
	t.Cleanup(func() { byType[typ] = was })

	s := must1(t, base(t), SetController{ID: "old", Version: "1", Level: KnownLevel}, SetController{ID: "new", Version: "2", Level: KnownLevel + 1})
	op := AddMachine{Model: "m"}
	refused := func(s State, what string, op Op, class error) {
		t.Helper()
		if _, _, err := s.Apply(command(Operator, op)); !errors.Is(err, class) {
			t.Errorf("%s: %v, want %v", what, err, class)
		}
	}
	if err := s.Understands([]Op{op}); !errors.Is(err, model.ErrUnavailable) {
		t.Errorf("before it is in the log: %v", err)
	}
	refused(s, "an op of a later level", op, model.ErrUnavailable)
	refused(s, "a level that one member lacks", RaiseLevel{Level: KnownLevel + 1}, model.ErrConflict)

	s = must1(t, s, SetController{ID: "old", Version: "2", Level: KnownLevel + 1}, RaiseLevel{Level: KnownLevel + 1})
	if err := s.Understands([]Op{op}); err != nil {
		t.Errorf("once it is active: %v", err)
	}
	must1(t, s, op)
	refused(s, "a member that lacks what is active", SetController{ID: "older", Version: "1", Level: KnownLevel}, model.ErrConflict)
	if _, err := Decode(bytes.NewReader(bytesOf(t, s))); !errors.Is(err, model.ErrUnavailable) {
		t.Errorf("a snapshot with features that this build lacks was read: %v", err)
	}
}
