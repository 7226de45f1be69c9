package controller

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

func (w *world) recorded(q operator.AuditQuery) (list []operator.AuditRecord) {
	w.t.Helper()
	if err := w.admin.ListAudit(w.ctx, q, func(r []operator.AuditRecord) error {
		list = append(list, r...)
		return nil
	}); err != nil {
		w.t.Fatal(err)
	}
	return list
}

func TestEveryRequestIsRecordedAndTamperingIsNamed(t *testing.T) {
	dir := t.TempDir()
	w := beginAlone(t, dir)
	for _, m := range []model.ModelName{"m", "spare"} {
		must(w.admin.AddModel(w.ctx, operator.AddModel{Name: m}))(t)
	}
	ann := dialled(t, w.user(operator.AddUser{Name: "ann"}, "read"))
	at := must(w.admin.Deploy(w.ctx, operator.Deploy{Model: "m", Charm: "db"}))(t)
	if _, err := ann.Deploy(w.ctx, operator.Deploy{Model: "m", Charm: "web"}); !errors.Is(err, model.ErrDenied) {
		t.Fatal(err)
	}
	all := w.recorded(operator.AuditQuery{})
	deployed := func(r operator.AuditRecord) bool {
		return r.Who == "user/admin" && strings.HasSuffix(r.Route, "/Deploy") && r.Model == "m" && r.Outcome == operator.Allowed && r.Index == at.Index
	}
	if !slices.ContainsFunc(all, deployed) {
		t.Errorf("the change at index %d is not in %+v", at.Index, all)
	}
	denied := w.recorded(operator.AuditQuery{Denied: true})
	if len(denied) != 1 || denied[0].Who != "user/ann" || !strings.HasSuffix(denied[0].Route, "/Deploy") {
		t.Errorf("what was refused: %+v", denied)
	}
	if v := must(w.admin.VerifyAudit(w.ctx))(t); v.Fault != "" || v.Last < uint64(len(all)) {
		t.Errorf("%+v", v)
	}

	f := must(os.OpenFile(filepath.Join(dir, "audit", "audit-00000000000000000001.log"), os.O_RDWR, 0))(t)
	defer f.Close()
	b := must(os.ReadFile(f.Name()))(t)
	at0 := int64(strings.Index(string(b), `"denied"`)) + 1
	for text, fault := range map[string]bool{"allows": true, "denied": false} {
		must(f.WriteAt([]byte(text), at0))(t)
		if v := must(w.admin.VerifyAudit(w.ctx))(t); strings.Contains(v.Fault, "was altered") != fault {
			t.Errorf("with %q in it: %+v", text, v)
		}
	}
	must(f.WriteAt([]byte("denied"), at0))(t)
	if err := w.end(); err != nil {
		t.Fatal(err)
	}
	// The record goes on after a restart.
	again := beginAlone(t, dir)
	if v := must(again.admin.VerifyAudit(again.ctx))(t); v.Fault != "" || v.First != 1 {
		t.Errorf("after a restart: %+v", v)
	}
}

func TestACallerThatIsRefusedOverAndOverIsToldToWait(t *testing.T) {
	w := beginAlone(t, t.TempDir())
	for _, m := range []model.ModelName{"m", "spare"} {
		must(w.admin.AddModel(w.ctx, operator.AddModel{Name: m}))(t)
	}
	ann := dialled(t, w.user(operator.AddUser{Name: "ann"}, "none"))
	for i := 0; ; i++ {
		_, err := ann.RemoveUser(w.ctx, "admin", operator.Change{})
		if err == nil || i > 1000 {
			t.Fatalf("attempt %d: %v", i, err)
		}
		if errors.Is(err, model.ErrUnavailable) {
			break
		}
	}
	if denied := w.recorded(operator.AuditQuery{Denied: true}); len(denied) > 400 {
		t.Errorf("%d refusals were recorded", len(denied))
	}
	must(w.admin.WhoAmI(w.ctx))(t) // others are served
}

func TestAnAdministratorWhoWasRemovedIsNotBroughtBackByAFile(t *testing.T) {
	dir := t.TempDir()
	w := beginAlone(t, dir)
	for _, m := range []model.ModelName{"m", "spare"} {
		must(w.admin.AddModel(w.ctx, operator.AddModel{Name: m}))(t)
	}
	root := w.user(operator.AddUser{Name: "root", Superuser: true}, "admin")
	must(dialled(t, root).RemoveUser(w.ctx, "admin", operator.Change{}))(t)
	if err := w.end(); err != nil {
		t.Fatal(err)
	}
	again := beginAlone(t, dir)
	if _, err := again.admin.WhoAmI(again.ctx); !errors.Is(err, model.ErrDenied) {
		t.Errorf("after a restart the removed administrator is told %v", err)
	}
}
