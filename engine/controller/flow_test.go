package controller

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/gantry-orchestrator/gantry/engine/client"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
	"github.com/gantry-orchestrator/gantry/model/operator"
	"github.com/gantry-orchestrator/gantry/model/provision"
)

func ref(t *testing.T, s string) model.EndpointRef {
	t.Helper()
	return must(model.ParseEndpointRef(s))(t)
}

func TestDeployRelateConfigureAndRemove(t *testing.T) {
	w := begin(t, t.TempDir())
	t.Logf("ready after %v", w.ready.Took)
	must(w.admin.AddModel(w.ctx, operator.AddModel{Name: "leop"}))(t)
	must(w.admin.Deploy(w.ctx, operator.Deploy{Model: "leop", Charm: "db", Units: 2}))(t)
	must(w.admin.Deploy(w.ctx, operator.Deploy{Model: "leop", Charm: "web"}))(t)
	made := must(w.admin.Integrate(w.ctx, operator.Integrate{Model: "leop", A: ref(t, "web"), B: ref(t, "db")}))(t)
	if made.Relation == 0 || made.A.String() != "web:database" {
		t.Errorf("integrate made %+v", made)
	}
	w.converge("leop")

	s := w.status("leop")
	if !s.Model.Converged || len(s.Machines) != 3 || len(s.Applications) != 2 || len(s.Applications[0].Units) != 2 {
		t.Fatalf("status is %+v", s)
	}
	leaders := 0
	for _, u := range s.Applications[0].Units {
		if u.Leader {
			leaders++
		}
		if !u.Settled || !u.Reachable || u.Status.Level != model.Active {
			t.Errorf("unit %+v", u)
		}
	}
	if leaders != 1 {
		t.Errorf("db has %d leaders", leaders)
	}
	web, _ := w.agentOf("leop", "web/0").intent("web/0")
	if len(web.Spec.Relations) != 1 || len(web.Spec.Relations[0].Units) != 2 || web.Spec.Relations[0].Units[0].Bag["address"] == "" {
		t.Errorf("web/0 sees %+v", web.Spec.Relations)
	}

	must(w.admin.SetConfig(w.ctx, operator.SetConfig{Model: "leop", Application: "db", Set: map[string]string{"size": "7"}}))(t)
	w.converge("leop")
	db, _ := w.agentOf("leop", "db/0").intent("db/0")
	if db.Spec.Config["size"] != float64(7) {
		t.Errorf("db/0 has config %v", db.Spec.Config)
	}
	if _, err := w.admin.SetConfig(w.ctx, operator.SetConfig{Model: "leop", Application: "db", Set: map[string]string{"sise": "7"}}); !errors.Is(err, model.ErrInvalid) {
		t.Errorf("a misspelt option: %v", err)
	}
	if _, err := w.admin.ShowApplication(w.ctx, "leop", "bd"); !errors.Is(err, model.ErrNotFound) {
		t.Errorf("a misspelt application: %v", err)
	}

	must(w.admin.RemoveApplication(w.ctx, operator.Removal{Model: "leop", Application: "db"}))(t)
	w.converge("leop")
	s = w.status("leop")
	if len(s.Applications) != 1 || len(s.Relations) != 0 || len(s.Machines) != 1 {
		t.Errorf("after the removal: %d applications, %+v, %d machines", len(s.Applications), s.Relations, len(s.Machines))
	}
}

func TestAnAgentWhoseSessionBreaksIsWaitedForAtOnce(t *testing.T) {
	w := begin(t, t.TempDir())
	must(w.admin.AddModel(w.ctx, operator.AddModel{Name: "m"}))(t)
	must(w.admin.Deploy(w.ctx, operator.Deploy{Model: "m", Charm: "web"}))(t)
	w.converge("m")
	w.agentOf("m", "web/0").die()
	broken := errors.New("seen")
	ctx, cancel := context.WithTimeout(w.ctx, patience)
	defer cancel()
	for ctx.Err() == nil { // until the end of the stream has come
		err := w.admin.Wait(ctx, "m", 0, func(p operator.Progress) error {
			if slices.ContainsFunc(p.Waiting, func(s string) bool { return strings.Contains(s, "the session of the agent") }) {
				return broken
			}
			return nil
		})
		if errors.Is(err, broken) {
			return
		}
	}
	t.Error("nobody waited for an agent whose session broke before it was missed")
}

func TestAMachineMayBeSaidToBeGoneTwice(t *testing.T) {
	w := beginAlone(t, t.TempDir())
	must(w.admin.AddModel(w.ctx, operator.AddModel{Name: "m"}))(t)
	must(w.admin.AddMachine(w.ctx, operator.AddMachine{Model: "m"}))(t)
	uuid := w.status("m").Machines[0].UUID
	must(w.admin.RemoveMachine(w.ctx, operator.RemoveMachine{Model: "m", Machine: "0"}))(t)
	h := must(client.DialHost(must(client.Load(w.ready.Host))(t)))(t)
	defer h.Close()
	done := errors.New("done")
	err := h.Wanted(w.ctx, "fake", func(wanted provision.Wanted) error {
		for _, m := range wanted.Machines {
			if m.Life == model.Dead {
				return errors.Join(done, h.MachineGone(w.ctx, uuid, nil), h.MachineGone(w.ctx, uuid, nil))
			}
		}
		return nil
	})
	if !errors.Is(err, done) || errors.Is(err, model.ErrNotFound) {
		t.Errorf("gone twice: %v", err)
	}
}

func TestApplyIsDeclarativeAndOneRevision(t *testing.T) {
	w := begin(t, t.TempDir())
	must(w.admin.AddModel(w.ctx, operator.AddModel{Name: "m"}))(t)
	before := w.status("m").Model.Revision
	text := []byte(`
applications:
  db: {charm: db, channel: 14/stable, num_units: 1, options: {size: 3}}
  web: {charm: web, num_units: 1}
relations:
- [web:database, db:database]
`)
	planned := must(w.admin.Plan(w.ctx, operator.Apply{Model: "m", Bundle: text}))(t)
	if len(planned.Differences) != 3 || w.status("m").Model.Revision != before {
		t.Fatalf("plan says %+v", planned)
	}
	applied := must(w.admin.Apply(w.ctx, operator.Apply{Model: "m", Bundle: text}))(t)
	if applied.Committed.Revision != before+1 || len(applied.Differences) != 3 {
		t.Fatalf("apply did %+v", applied)
	}
	w.converge("m")
	again := must(w.admin.Apply(w.ctx, operator.Apply{Model: "m", Bundle: text}))(t)
	if len(again.Differences) != 0 || again.Committed.Revision != before+1 {
		t.Errorf("a second apply did %+v", again)
	}
	exported := must(w.admin.ExportBundle(w.ctx, "m"))(t)
	again = must(w.admin.Apply(w.ctx, operator.Apply{Model: "m", Bundle: exported, Prune: true}))(t)
	if len(again.Differences) != 0 {
		t.Errorf("applying the export did %+v\n%s", again.Differences, exported)
	}
	pruned := must(w.admin.Apply(w.ctx, operator.Apply{Model: "m", Prune: true, Bundle: []byte("applications:\n  db: {charm: db, num_units: 2}\n")}))(t)
	w.converge("m")
	if s := w.status("m"); len(s.Applications) != 1 || len(s.Applications[0].Units) != 2 {
		t.Errorf("after %+v the status is %+v", pruned.Differences, s.Applications)
	}
	if _, err := w.admin.Apply(w.ctx, operator.Apply{Model: "m", Bundle: []byte("applications:\n  db: {charm: bd}\n")}); !errors.Is(err, model.ErrInvalid) && !errors.Is(err, model.ErrNotFound) {
		t.Errorf("an unknown charm: %v", err)
	}
}

func TestActionsRunOnceAndAreShown(t *testing.T) {
	w := begin(t, t.TempDir())
	must(w.admin.AddModel(w.ctx, operator.AddModel{Name: "m"}))(t)
	must(w.admin.Deploy(w.ctx, operator.Deploy{Model: "m", Charm: "db"}))(t)
	w.converge("m")
	change := operator.Change{Key: "k"}
	run := operator.Run{Change: change, Model: "m", Units: []string{"db/leader"}, Action: "backup"}
	list := must(w.admin.Run(w.ctx, run))(t)
	if len(list) != 1 || list[0].State != "pending" {
		t.Fatalf("run gave %+v", list)
	}
	retried := must(w.admin.Run(w.ctx, run))(t)
	if len(retried) != 1 || retried[0].ID != list[0].ID {
		t.Errorf("the retry gave %+v", retried)
	}
	o := must(w.admin.ShowOperation(w.ctx, "m", list[0].ID, true))(t)
	if o.State != "done" || o.Result.Output["ran"] != "backup" || o.Author != "user/admin" {
		t.Errorf("the operation ended as %+v", o)
	}
	if _, err := w.admin.Run(w.ctx, operator.Run{Model: "m", Units: []string{"db/0"}, Action: "bakcup"}); !errors.Is(err, model.ErrNotFound) {
		t.Errorf("a misspelt action: %v", err)
	}
	var lines int
	if err := w.admin.DebugLog(w.ctx, operator.LogQuery{Model: "m"}, func(l []effect.LogLine) error { lines += len(l); return nil }); err != nil || lines == 0 {
		t.Errorf("the log has %d lines, %v", lines, err)
	}
}

func TestARestartKeepsEverything(t *testing.T) {
	dir := t.TempDir()
	w := begin(t, dir)
	must(w.admin.AddModel(w.ctx, operator.AddModel{Name: "m"}))(t)
	must(w.admin.Deploy(w.ctx, operator.Deploy{Model: "m", Charm: "db", Units: 2}))(t)
	w.converge("m")
	before := w.status("m")
	if err := w.end(); err != nil {
		t.Fatal(err)
	}
	again := begin(t, dir)
	again.converge("m")
	after := again.status("m")
	if after.Model.Revision != before.Model.Revision || len(after.Applications[0].Units) != 2 {
		t.Errorf("revision %d with %d units, was %d", after.Model.Revision, len(after.Applications[0].Units), before.Model.Revision)
	}
	for i, u := range after.Applications[0].Units {
		if was := before.Applications[0].Units[i]; u.Leader != was.Leader || u.Machine != was.Machine {
			t.Errorf("%v is %+v, was %+v", u.Name, u, was)
		}
	}
}

func TestAWatchResumesByIndex(t *testing.T) {
	w := begin(t, t.TempDir())
	must(w.admin.AddModel(w.ctx, operator.AddModel{Name: "m"}))(t)
	start := w.status("m").Model.Index
	must(w.admin.AddMachine(w.ctx, operator.AddMachine{Model: "m"}))(t)
	must(w.admin.AddMachine(w.ctx, operator.AddMachine{Model: "m"}))(t)
	stop := errors.New("enough")
	added := func(after uint64) (found []operator.Event) {
		err := w.admin.Watch(w.ctx, "m", after, func(e operator.Event) error {
			if e.Author == "user/admin" {
				found = append(found, e)
			}
			if slices.Contains(e.Keys, "machine/1") {
				return stop
			}
			return nil
		})
		if !errors.Is(err, stop) {
			t.Fatal(err)
		}
		return found
	}
	all := added(start)
	if len(all) != 2 {
		t.Fatalf("watched %+v", all)
	}
	if rest := added(all[0].Index); len(rest) != 1 || rest[0].Index != all[1].Index {
		t.Errorf("resumed after %d: %+v", all[0].Index, rest)
	}
}
