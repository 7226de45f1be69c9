package state

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/gantry-orchestrator/gantry/model"
)

func TestARestoredStateHoldsTheSameModelAboveEveryIndexThatWas(t *testing.T) {
	s := must1(t, base(t), SetController{ID: "c1", Address: "10.0.0.1:1", Level: KnownLevel})
	s, _, err := s.Apply(Command{Version: FormatVersion, Key: "once", Now: epoch, Origin: Operator, Author: "admin", Ops: []Op{AddMachine{Model: "m"}}})
	if err != nil {
		t.Fatal(err)
	}
	before := bytesOf(t, s)
	got := s.Restored("sum", "id", epoch.Add(time.Hour))
	if !bytes.Equal(bytesOf(t, s), before) {
		t.Error("the state that was restored from was written to")
	}
	if got.ModelDigest("m") != s.ModelDigest("m") || got.Revision() != s.Revision() {
		t.Error("the model differs")
	}
	if got.Index() < s.Index()+1<<32 || got.Silent() {
		t.Errorf("it begins at index %d, was %d; silent %v", got.Index(), s.Index(), got.Silent())
	}
	if c, ok := got.Controller("c1"); !ok || c.Left.IsZero() || len(got.Controllers()) != 0 {
		t.Errorf("the former controller is %+v", c)
	}
	if e := got.Epoch(); !e.Obeys(s.Epoch()) || s.Epoch().Obeys(e) || e.ID != "id" {
		t.Errorf("epoch %v", e)
	}
	again, result, err := got.Apply(Command{Version: FormatVersion, Key: "once", Now: epoch, Origin: Operator, Author: "admin", Ops: []Op{AddMachine{Model: "m"}}})
	if err != nil || len(result.Created) == 0 || len(again.Machines("m")) != len(s.Machines("m")) {
		t.Errorf("a retry of a change that the backup has made %d machines of %d, %v", len(again.Machines("m")), len(s.Machines("m")), err)
	}
	decoded, err := Decode(bytes.NewReader(bytesOf(t, got)))
	if err != nil || decoded.Epoch() != got.Epoch() {
		t.Errorf("decoded as epoch %v, %v", decoded.Epoch(), err)
	}
}

func TestTwoRestoresOfOneBackupObeyOneOrder(t *testing.T) {
	s := base(t)
	a, b := s.Restored("sum", "a", epoch).Epoch(), s.Restored("sum", "b", epoch).Epoch()
	if a.Obeys(b) || b.Obeys(a) {
		t.Errorf("%v and %v obey each other", a, b)
	}
	late := s.Restored("sum", "c", epoch.Add(time.Second)).Epoch()
	if !late.Obeys(a) || a.Obeys(late) {
		t.Errorf("%v does not come after %v", late, a)
	}
	behind := s.Restored("sum", "a", epoch).Restored("sum", "d", epoch.Add(-time.Hour)).Epoch()
	if !behind.Obeys(a) {
		t.Errorf("by a clock that is behind, %v does not come after %v", behind, a)
	}
	for _, e := range []model.Epoch{{}, a} {
		if back, err := model.ParseEpoch(e.String()); err != nil || back != e {
			t.Errorf("%v came back as %v, %v", e, back, err)
		}
	}
}

func TestWhatIsRememberedOfBackups(t *testing.T) {
	note := func(s State, o NoteBackup) (State, error) {
		next, _, err := s.Apply(command(Agents, o))
		return next, err
	}
	s, err := note(base(t), NoteBackup{Made: &model.Backup{ID: "b1"}})
	if err != nil {
		t.Fatal(err)
	}
	before := bytesOf(t, s)
	drilled, err := note(s, NoteBackup{Drilled: &model.Drill{Backup: "b1", Fault: "bad"}})
	if err != nil || drilled.Backups().Kept[0].Drill.Fault != "bad" {
		t.Fatalf("%+v, %v", drilled.Backups(), err)
	}
	if !bytes.Equal(bytesOf(t, s), before) {
		t.Error("a drill wrote to an earlier state")
	}
	for rule, test := range map[string]struct {
		op   NoteBackup
		want error
	}{
		"a backup is made once":                {NoteBackup{Made: &model.Backup{ID: "b1"}}, model.ErrConflict},
		"a drill is of a known backup":         {NoteBackup{Drilled: &model.Drill{Backup: "b2"}}, model.ErrNotFound},
		"without a restore nothing is settled": {NoteBackup{Settled: true}, model.ErrConflict},
	} {
		if _, err := note(s, test.op); !errors.Is(err, test.want) {
			t.Errorf("%s: %v", rule, err)
		}
	}
	if s, err = note(s.Restored("sum", "id", epoch), NoteBackup{Settled: true}); err != nil || s.Backups().Restored.Open {
		t.Errorf("settled as %+v, %v", s.Backups().Restored, err)
	}
	if s, err = note(s, NoteBackup{Scheduled: &model.BackupSchedule{Every: time.Hour}}); err != nil || s.Backups().Schedule == nil {
		t.Errorf("scheduled: %v", err)
	}
	if s, err = note(s, NoteBackup{Scheduled: &model.BackupSchedule{}}); err != nil || s.Backups().Schedule != nil {
		t.Errorf("the schedule goes on: %v", err)
	}
	if s, err = note(s, NoteBackup{Dropped: "b1"}); err != nil || len(s.Backups().Kept) != 0 {
		t.Errorf("kept %v, %v", s.Backups().Kept, err)
	}
}
