package state

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gantry-orchestrator/gantry/engine/state/tables"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/charm"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func command(origin Origin, ops ...Op) Command {
	return Command{Version: FormatVersion, Now: epoch, Origin: origin, Author: "admin", Ops: ops}
}

func must1(t testing.TB, s State, ops ...Op) State {
	t.Helper()
	next, _, err := s.Apply(command(Operator, ops...))
	if err != nil {
		t.Fatal(err)
	}
	return next
}

func bytesOf(t testing.TB, s State) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := s.Encode(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func ref(unit string) UnitRef {
	u, err := model.ParseUnitName(unit)
	if err != nil {
		panic(err)
	}
	return UnitRef{"m", u}
}

// base is a model with a led database of three units on ready machines, and an
// application that may use it.
func base(t testing.TB) State {
	level := charm.IntValue(1)
	db := charm.Charm{
		Meta: charm.Meta{Name: "db", Endpoints: []model.Endpoint{
			{Name: "db", Interface: "sql", Role: model.Provides}, {Name: "members", Interface: "p", Role: model.Peer}, charm.JujuInfo,
		}},
		Config:  charm.Config{Options: []charm.Option{{Name: "level", Type: charm.IntOption, Default: &level}}},
		Actions: []charm.Action{{Name: "backup", Kind: charm.Act}},
		Orders:  []charm.Order{{Name: "restore", Stages: []string{"stop", "wipe"}, PointOfNoReturn: "wipe"}},
	}
	app := charm.Charm{Meta: charm.Meta{Name: "app", Endpoints: []model.Endpoint{
		{Name: "store", Interface: "sql", Role: model.Requires, Limit: 1}, charm.JujuInfo,
	}}}
	s := must1(t, Empty(),
		AddModel{Model: "m", UUID: "u"}, AddCharm{Model: "m", Hash: "h", Declared: db}, AddCharm{Model: "m", Hash: "h", Declared: app},
		AddApplication{Model: "m", Name: "pg", Charm: "db", Hash: "h", Units: 3},
		AddApplication{Model: "m", Name: "tm", Charm: "app", Hash: "h", Units: 1},
	)
	for i, name := range []string{"pg/0", "pg/1", "pg/2", "tm/0"} {
		machine := model.MachineName(fmt.Sprint(i))
		s = must1(t, s, RequestMachine{Model: "m", Units: []model.UnitName{ref(name).Unit}},
			MachineJoined{Model: "m", Machine: machine, Address: "10.0.0.1"})
	}
	return must1(t, s, GrantLease{Model: "m", Holder: ref("pg/0").Unit})
}

func token(t testing.TB, s State) uint64 {
	t.Helper()
	l, ok := s.Lease(ApplicationRef{"m", "pg"})
	if !ok {
		t.Fatal("nobody leads pg")
	}
	return l.Token
}

func TestARefusedCommandChangesNothingButTheIndex(t *testing.T) {
	s := base(t)
	next, _, err := s.Apply(command(Operator,
		AddUnits{Model: "m", Application: "pg", Count: 2},
		SetConfig{Model: "m", Application: "pg", Set: charm.Settings{"level": charm.IntValue(7)}},
		RemoveApplication{Model: "m", Application: "nobody"},
	))
	if !errors.Is(err, model.ErrNotFound) || !strings.Contains(err.Error(), "step 3 of 3") {
		t.Fatalf("error %v, want not found in step 3", err)
	}
	if next.Index() != s.Index()+1 || next.Revision() != s.Revision() {
		t.Errorf("index %d and revision %d after %d and %d", next.Index(), next.Revision(), s.Index(), s.Revision())
	}
	next.head = s.head
	if !bytes.Equal(bytesOf(t, next), bytesOf(t, s)) {
		t.Error("rows differ")
	}
}

func TestASnapshotDoesNotSeeLaterChanges(t *testing.T) {
	s := base(t)
	before := bytesOf(t, s)
	must1(t, s, AddUnits{Model: "m", Application: "pg", Count: 5}, RemoveApplication{Model: "m", Application: "tm"})
	if !bytes.Equal(before, bytesOf(t, s)) {
		t.Error("the snapshot changed")
	}
}

func TestARetryGetsTheFirstAnswer(t *testing.T) {
	for _, test := range []struct {
		rule string
		op   Op
		err  error
	}{
		{"of a change that was made", AddUnits{Model: "m", Application: "pg", Count: 1}, nil},
		{"of a change that was refused", AddUnits{Model: "m", Application: "nobody", Count: 1}, model.ErrNotFound},
	} {
		t.Run(test.rule, func(t *testing.T) {
			c := command(Operator, test.op)
			c.Key = "once"
			s, first, err := base(t).Apply(c)
			if !errors.Is(err, test.err) {
				t.Fatal(err)
			}
			s = must1(t, s, AddMachine{Model: "m"})
			again, second, errAgain := s.Apply(c)
			if fmt.Sprint(err) != fmt.Sprint(errAgain) || !errors.Is(errAgain, test.err) {
				t.Errorf("told %v, then %v", err, errAgain)
			}
			if err == nil && (second.Index != first.Index || !slices.Equal(second.Created, first.Created) || second.Changed != nil) {
				t.Errorf("told %+v, then %+v", first, second)
			}
			if len(again.Units(ApplicationRef{"m", "pg"})) != len(s.Units(ApplicationRef{"m", "pg"})) {
				t.Error("the retry had an effect")
			}
		})
	}
}

func TestAnswersAreForgottenByAgeAndByNumber(t *testing.T) {
	s := base(t)
	keyed := func(key string, now time.Time) Command {
		c := command(Agents, MarkSolved{Through: 1})
		c.Key, c.Now = key, now
		return c
	}
	s, _, _ = s.Apply(keyed("old", epoch))
	s, _, _ = s.Apply(keyed("new", epoch.Add(answersKeptFor+time.Second)))
	if _, ok := s.answers.find(answerKey("old")); ok {
		t.Error("an answer is kept beyond its time")
	}
	batch := make([]Command, answersKept+5)
	for i := range batch {
		batch[i] = keyed(fmt.Sprint("k", i), epoch)
	}
	s, _ = s.ApplyBatch(batch)
	if n := len(s.answers.under(nil)); n != answersKept {
		t.Errorf("%d answers are kept, want %d", n, answersKept)
	}
}

func TestOnlyAnOperatorsChangeRaisesTheRevision(t *testing.T) {
	s := base(t)
	at := s.Revision()
	for _, c := range []Command{
		command(Solver, GrantLease{Model: "m", Holder: ref("pg/1").Unit}),
		command(Agents, MachineDown{Model: "m", Machine: "0"}),
		command(Operator, EnqueueOperation{Model: "m", Run: effect.Operation{Kind: effect.ActionOperation, Unit: ref("pg/0").Unit, Action: "backup"}}),
	} {
		var err error
		if s, _, err = s.Apply(c); err != nil {
			t.Fatal(err)
		}
		if s.Revision() != at {
			t.Errorf("%T raised the revision", c.Ops[0])
		}
	}
	s = must1(t, s, AddUnits{Model: "m", Application: "pg", Count: 1})
	r, ok := s.RevisionAt(at + 1)
	if !ok || s.Revision() != at+1 || r.Author != "admin" || len(r.Summary) != 1 {
		t.Fatalf("revision %d recorded as %+v", s.Revision(), r)
	}
	i := slices.IndexFunc(r.Before, func(i Image) bool { return i.Key.Table == tables.Application })
	var was Application
	if err := r.Before[i].Decode(&was); err != nil || was.Planned != 3 {
		t.Errorf("pg was %+v; want it with 3 units", was)
	}
	if m, _ := s.Model("m"); m.Revision != at+1 {
		t.Errorf("the model is at revision %d", m.Revision)
	}
}

func TestDerivedRowsCarryTheRevisionThatCausedThem(t *testing.T) {
	s := base(t)
	c := command(Solver, GrantLease{Model: "m", Holder: ref("pg/1").Unit})
	c.Cause = 3
	s, _, err := s.Apply(c)
	if err != nil {
		t.Fatal(err)
	}
	if l, _ := s.Lease(ApplicationRef{"m", "pg"}); l.Cause != 3 || l.Token != s.Index() {
		t.Errorf("lease %+v, want cause 3 and token %d", l, s.Index())
	}
}

func TestAdmission(t *testing.T) {
	s := base(t)
	unit, _ := s.Unit(ref("pg/0"))
	for _, test := range []struct {
		rule   string
		change func(*Command)
		err    error
	}{
		{"a deadline that has passed is refused", func(c *Command) { c.Now, c.Deadline = epoch.Add(time.Hour), epoch }, model.ErrUnavailable},
		{"another format is refused", func(c *Command) { c.Version = 99 }, model.ErrUnavailable},
		{"another revision than it was made for is a conflict", func(c *Command) { c.AtRevision = s.Revision() + 1 }, model.ErrConflict},
		{"the revision that it was made for is fine", func(c *Command) { c.AtRevision = s.Revision() }, nil},
		{"a row as it was read is fine", func(c *Command) { c.Expect = []Precondition{{unit.Ref().Key(), unit.ModifyIndex}} }, nil},
		{"a row that has changed is a conflict", func(c *Command) { c.Expect = []Precondition{{unit.Ref().Key(), unit.ModifyIndex - 1}} }, model.ErrConflict},
		{"a row that has come is a conflict", func(c *Command) { c.Expect = []Precondition{{Key: unit.Ref().Key()}} }, model.ErrConflict},
		{"a command without ops is invalid", func(c *Command) { c.Ops = nil }, model.ErrInvalid},
	} {
		t.Run(test.rule, func(t *testing.T) {
			c := command(Operator, AddMachine{Model: "m"})
			test.change(&c)
			if _, _, err := s.Apply(c); !errors.Is(err, test.err) {
				t.Errorf("error %v, want %v", err, test.err)
			}
		})
	}
}

func TestTimeNeverGoesBack(t *testing.T) {
	c := command(Agents, MarkSolved{Through: 1})
	c.Now = epoch.Add(-time.Hour)
	if s, _, _ := base(t).Apply(c); !s.Now().Equal(epoch) {
		t.Errorf("now is %v", s.Now())
	}
}

func TestRefusals(t *testing.T) {
	s := base(t)
	order := StartOrder{Model: "m", Application: "pg", ID: "o1", Name: "restore"}
	for _, test := range []struct {
		rule   string
		before []Op
		op     Op
		err    error
		says   string
	}{
		{"a name that is taken", nil, AddModel{Model: "m", UUID: "x"}, model.ErrConflict, "one already"},
		{"an application that is not there is named with the nearest", nil, AddUnits{Model: "m", Application: "pgg", Count: 1}, model.ErrNotFound, `did you mean "pg"?`},
		{"an option that the charm does not have", nil, SetConfig{Model: "m", Application: "pg", Set: charm.Settings{"levle": charm.IntValue(1)}}, model.ErrInvalid, `did you mean "level"?`},
		{"an option of another type", nil, SetConfig{Model: "m", Application: "pg", Set: charm.Settings{"level": charm.StringValue("x")}}, model.ErrInvalid, "whole number"},
		{"too many units", nil, AddUnits{Model: "m", Application: "pg", Count: maxUnits}, model.ErrInvalid, "no more than"},
		{"a unit on a machine that is not there", nil, AddUnits{Model: "m", Application: "pg", Count: 1, To: []Placement{{Machine: "77"}}}, model.ErrNotFound, "machine"},
		{"a relation that is there", []Op{relate()}, relate(), model.ErrConflict, "joins them already"},
		{"a relation of a peer endpoint", nil, AddRelation{Model: "m", A: end("pg", "members"), B: end("tm", "store")}, model.ErrInvalid, "does not fit"},
		{"a removed application takes no units", []Op{RemoveApplication{Model: "m", Application: "pg"}}, AddUnits{Model: "m", Application: "pg", Count: 1}, model.ErrConflict, "being removed"},
		{"a machine with units on it", nil, RemoveMachine{Model: "m", Machine: "0"}, model.ErrConflict, "pg/0 is on it"},
		{"force on a machine that may still run", nil, RemoveUnits{Model: "m", Units: []model.UnitName{ref("pg/0").Unit}, Force: true}, model.ErrConflict, "may still run it"},
		{"a second order", []Op{order}, StartOrder{Model: "m", Application: "pg", ID: "o2", Name: "restore"}, model.ErrConflict, "is open"},
		{"an order that the charm does not have", nil, StartOrder{Model: "m", Application: "pg", ID: "o", Name: "restor"}, model.ErrInvalid, `did you mean "restore"?`},
		{"cancelling past the point of no return", []Op{order, AdvanceOrder{Model: "m", Application: "pg", ID: "o1", From: 0}}, CancelOrder{Model: "m", Application: "pg", ID: "o1"}, model.ErrConflict, "forward only"},
		{"an action that the charm does not have", nil, EnqueueOperation{Model: "m", Run: effect.Operation{Kind: effect.ActionOperation, Unit: ref("pg/0").Unit, Action: "bakup"}}, model.ErrInvalid, `did you mean "backup"?`},
		{"a unit that is placed already", nil, AssignUnit{Model: "m", Unit: ref("pg/0").Unit, Machine: "1"}, model.ErrConflict, "on machine"},
		{"a turn beyond its limit", []Op{turn("pg/0", 1)}, turn("pg/1", 1), model.ErrConflict, "its limit is 1"},
		{"burying what is alive", nil, Advance{Subject: ref("pg/0").Key(), To: Bury}, model.ErrConflict, "alive"},
		{"forgetting an application that has units", []Op{RemoveApplication{Model: "m", Application: "pg"}}, Advance{Subject: ApplicationRef{"m", "pg"}.Key(), To: Forget}, model.ErrConflict, "still there"},
	} {
		t.Run(test.rule, func(t *testing.T) {
			s := s
			if len(test.before) > 0 {
				s = must1(t, s, test.before...)
			}
			_, _, err := s.Apply(command(Operator, test.op))
			if !errors.Is(err, test.err) || !strings.Contains(fmt.Sprint(err), test.says) {
				t.Errorf("error %v, want %q of class %v", err, test.says, test.err)
			}
		})
	}
}

func end(app, endpoint string) model.EndpointRef {
	return model.EndpointRef{Application: model.ApplicationName(app), Endpoint: model.EndpointName(endpoint)}
}

func relate() Op { return AddRelation{Model: "m", A: end("tm", "store"), B: end("pg", "db")} }

func turn(unit string, limit int) Op {
	return GrantTurn{Model: "m", Unit: ref(unit).Unit, Ask: effect.Turn{Name: "restart", Limit: limit}}
}

func TestEndpointsAreStoredProviderFirst(t *testing.T) {
	s := must1(t, base(t), relate())
	all := s.Relations(ApplicationRef{"m", "tm"})
	if len(all) != 1 || all[0].Ends[0].Application != "pg" || all[0].Ends[1].Application != "tm" {
		t.Errorf("relations %+v", all)
	}
}
