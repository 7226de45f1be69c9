package controller

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gantry-orchestrator/gantry/engine/backup"
	"github.com/gantry-orchestrator/gantry/engine/backup/archive"
	"github.com/gantry-orchestrator/gantry/engine/client"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

// backUp takes an archive over the API.
func (w *world) backUp() (string, model.Backup) {
	w.t.Helper()
	var made model.Backup
	var b bytes.Buffer
	made, err := w.admin.CreateBackup(w.ctx, operator.CreateBackup{}, &b)
	if err != nil {
		w.t.Fatal(err)
	}
	path := filepath.Join(w.t.TempDir(), "archive")
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		w.t.Fatal(err)
	}
	return path, made
}

// restored is a controller elsewhere that an archive made.
func restored(t *testing.T, path string) (*world, backup.Restored) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "controller")
	r, err := backup.Restore(context.Background(), path, dir, archive.Opener{}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return beginAlone(t, dir), r
}

// digests are the models of an archive.
func digests(t *testing.T, path string) map[model.ModelName]string {
	t.Helper()
	all := map[model.ModelName]string{}
	for _, m := range must(archive.Verify(path))(t).Manifest.Models {
		all[m.Name] = m.SHA256
	}
	return all
}

func TestARestoredControllerHasTheModelAndTheSameAgentsAndOperators(t *testing.T) {
	old := begin(t, t.TempDir())
	must(old.admin.AddModel(old.ctx, operator.AddModel{Name: "m"}))(t)
	must(old.admin.Deploy(old.ctx, operator.Deploy{Model: "m", Charm: "db", Units: 2}))(t)
	old.converge("m")
	path, made := old.backUp()
	if made.Author != "user/admin" || made.SHA256 != must(archive.Verify(path))(t).SHA256 {
		t.Errorf("made %+v", made)
	}
	agent := old.agentOf("m", "db/0")
	known := func() effect.Intent { i, _ := agent.intent("db/0"); return i }()
	admin, identity := must(client.Load(old.ready.Admin))(t), agent.as
	if err := old.end(); err != nil {
		t.Fatal(err)
	}

	fresh, r := restored(t, path)
	// The operator's context of before, but for the address, is good.
	admin.Addresses = fresh.ready.Addresses
	operator := must(client.Dial(admin))(t)
	defer operator.Close()
	info := must(operator.Info(fresh.ctx))(t)
	if info.Index < made.Index+1<<32 {
		t.Errorf("it is at index %d, the backup was at %d", info.Index, made.Index)
	}
	again, _ := fresh.backUp()
	before, after := digests(t, path), digests(t, again)
	if before["m"] == "" || before["m"] != after["m"] {
		t.Error("the model differs from the one that was backed up")
	}
	// So is the agent's certificate, and what it has is what it shall have.
	identity.Addresses = fresh.ready.Addresses
	conn := must(client.DialAgent(identity))(t)
	defer conn.Close()
	s := must(conn.Open(fresh.ctx))(t)
	hello := effect.Hello{Machine: agent.uuid, Known: []effect.Known{
		{Unit: known.Spec.Unit, Generation: known.Generation, Hash: known.Hash, Serial: known.Live.Serial},
		{Unit: must(model.ParseUnitName("newer/7"))(t), Generation: 1 << 40, Hash: "x"},
	}}
	if err := s.Send(effect.Upward{Hello: &hello}); err != nil {
		t.Fatal(err)
	}
	// A unit that the backup does not know is held, and said to be.
	wait(t, func() bool {
		list := must(operator.ListBackups(fresh.ctx))(t)
		return len(list.Newer) == 1 && strings.Contains(list.Newer[0], "unit newer/7") && list.Restored.Backup == r.SHA256
	})
	if err := s.Send(effect.Upward{Beat: &effect.Beat{Serial: 1}}); err != nil {
		t.Fatal(err)
	}
	for {
		down := must(s.Recv())(t)
		if len(down.Withdrawn) > 0 {
			t.Fatalf("before it was settled %v was withdrawn", down.Withdrawn)
		}
		if len(down.Set) > 0 && down.Set[0].Hash != known.Hash {
			t.Errorf("the intent differs: %+v, was %+v", down.Set[0], known)
		}
		if down.Beat != nil {
			break
		}
	}
	if err := operator.SettleRestore(fresh.ctx); err != nil {
		t.Fatal(err)
	}
	for {
		if down := must(s.Recv())(t); slices.Contains(down.Withdrawn, "newer/7") {
			break
		}
	}
	if err := operator.SettleRestore(fresh.ctx); !errors.Is(err, model.ErrConflict) {
		t.Errorf("settled twice: %v", err)
	}
}

func TestNobodyWhoHeardOfARestoreObeysTheFormerController(t *testing.T) {
	old := beginAlone(t, t.TempDir())
	must(old.admin.AddModel(old.ctx, operator.AddModel{Name: "m"}))(t)
	path, _ := old.backUp()
	fresh, r := restored(t, path)

	c := must(client.Load(old.ready.Admin))(t)
	file := filepath.Join(t.TempDir(), "context")
	c.Addresses = fresh.ready.Addresses
	if err := c.Save(file); err != nil {
		t.Fatal(err)
	}
	heard := must(client.Dial(must(client.Load(file))(t)))(t)
	must(heard.Info(fresh.ctx))(t)
	_ = heard.Close()
	c = must(client.Load(file))(t)
	if c.Epoch != r.Epoch.String() {
		t.Fatalf("the context keeps epoch %q, want %v", c.Epoch, r.Epoch)
	}
	// The old one is still there, and the operator's context finds it again.
	c.Addresses, c.Controllers = old.ready.Addresses, nil
	stale := must(client.Dial(c))(t)
	defer stale.Close()
	ctx, cancel := context.WithTimeout(fresh.ctx, 2*time.Second)
	defer cancel()
	if _, err := stale.AddModel(ctx, operator.AddModel{Name: "split"}); err == nil || !strings.Contains(err.Error(), "superseded") && ctx.Err() == nil {
		t.Errorf("the former controller answered: %v", err)
	}
	for _, m := range must(old.admin.ListModels(old.ctx))(t) {
		if m.Name == "split" {
			t.Error("the former controller made a model for one who knows better")
		}
	}
	// With both addresses the restored one answers.
	c.Addresses = []string{old.ready.Addresses[0], fresh.ready.Addresses[0]}
	both := must(client.Dial(c))(t)
	defer both.Close()
	must(both.AddModel(fresh.ctx, operator.AddModel{Name: "whole"}))(t)
}

func TestAScheduleMakesAndTriesBackupsAndKeepsTheNewest(t *testing.T) {
	w := beginAlone(t, t.TempDir())
	dir := filepath.Join(t.TempDir(), "backups")
	if list := must(w.admin.ListBackups(w.ctx))(t); len(list.Alarms) != 1 || !strings.Contains(list.Alarms[0], "no backup") {
		t.Errorf("without a backup the alarms are %v", list.Alarms)
	}
	for rule, s := range map[string]model.BackupSchedule{
		"too often": {Every: time.Second, Keep: 1, Dir: dir}, "keeping none": {Every: time.Hour, Dir: dir}, "to a relative path": {Every: time.Hour, Keep: 1, Dir: "x"},
	} {
		if err := w.admin.ScheduleBackups(w.ctx, s); !errors.Is(err, model.ErrInvalid) {
			t.Errorf("%s: %v", rule, err)
		}
	}
	if err := w.admin.ScheduleBackups(w.ctx, model.BackupSchedule{Every: time.Hour, Keep: 1, Dir: dir}); err != nil {
		t.Fatal(err)
	}
	var b model.Backup
	wait(t, func() bool {
		list := must(w.admin.ListBackups(w.ctx))(t)
		if len(list.Kept) == 1 && list.Kept[0].Drill != nil {
			b = list.Kept[0]
		}
		return b.ID != "" && len(list.Alarms) == 0
	})
	if b.Drill.Fault != "" || filepath.Dir(b.Path) != dir || !strings.HasPrefix(b.Author, "controller/") {
		t.Errorf("made %+v, drilled %+v", b, b.Drill)
	}
	if d := must(w.admin.DrillBackup(w.ctx, bytes.NewReader(nil)))(t); d.Fault != "" || d.Backup != b.ID {
		t.Errorf("the newest was tried as %+v", d)
	}
	whole := must(os.ReadFile(b.Path))(t)
	whole[len(whole)/2] ^= 1
	if d := must(w.admin.DrillBackup(w.ctx, bytes.NewReader(whole)))(t); !strings.Contains(d.Fault, "DAMAGED in part ") {
		t.Errorf("a damaged one was tried as %+v", d)
	}
	if err := os.WriteFile(b.Path, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	must(w.admin.DrillBackup(w.ctx, bytes.NewReader(nil)))(t)
	if list := must(w.admin.ListBackups(w.ctx))(t); len(list.Alarms) != 1 || !strings.Contains(list.Alarms[0], "FAILED its drill") {
		t.Errorf("the alarms are %v", list.Alarms)
	}
}

// wait polls until something is so.
func wait(t *testing.T, so func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !so(); {
		if time.Now().After(end) {
			t.Fatal("not in time")
		}
		time.Sleep(20 * time.Millisecond)
	}
}
