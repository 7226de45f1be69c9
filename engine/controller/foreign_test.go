package controller

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/gantry-orchestrator/gantry/engine/client"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

// TestAnAgentActsForItsOwnMachineAlone calls each request of an agent with what
// is another's: a unit, a machine, a secret, a relation, an operation, a charm.
func TestAnAgentActsForItsOwnMachineAlone(t *testing.T) {
	w := begin(t, t.TempDir())
	for _, m := range []model.ModelName{"m", "other"} {
		must(w.admin.AddModel(w.ctx, operator.AddModel{Name: m}))(t)
	}
	for _, charm := range []string{"db", "web"} {
		must(w.admin.Deploy(w.ctx, operator.Deploy{Model: "m", Charm: charm}))(t)
	}
	must(w.admin.Deploy(w.ctx, operator.Deploy{Model: "other", Charm: "db"}))(t)
	relation := must(w.admin.Integrate(w.ctx, operator.Integrate{Model: "m", A: ref(t, "web"), B: ref(t, "db")}))(t).Relation
	w.converge("m")
	w.converge("other")
	db, web, stranger := w.agentOf("m", "db/0"), w.agentOf("m", "web/0"), w.agentOf("other", "db/0")
	dbUnit, webUnit := must(model.ParseUnitName("db/0"))(t), must(model.ParseUnitName("web/0"))(t)
	lead, _ := db.intent("db/0")
	token := lead.Live.Token
	fields := map[string][]byte{"password": []byte("x")}
	granted := must(db.PutSecret(w.ctx, effect.NewSecret{Unit: dbUnit, Name: "g", Scope: effect.UnitScope, Fields: fields, Grants: []model.RelationID{relation}}))(t)
	private := must(db.PutSecret(w.ctx, effect.NewSecret{Unit: dbUnit, Name: "p", Scope: effect.UnitScope, Fields: fields}))(t)
	claim := must(db.OpenClaim(w.ctx, effect.Claim{Unit: dbUnit, Task: "t", Key: "k", Token: token, Deadline: time.Minute}))(t)
	machine := must(w.admin.AddMachine(w.ctx, operator.AddMachine{Model: "m"}))(t)
	running := must(w.admin.Exec(w.ctx, operator.Exec{Model: "m", Machines: []model.MachineName{machine.Machine}, Command: []string{"true"}}))(t)[0]

	for rule, ask := range map[string]func() error{
		"publish for another's unit": func() error {
			_, err := web.Publish(w.ctx, effect.Publication{Unit: dbUnit, Records: []effect.Record{{Name: "x", Scope: effect.UnitScope, Value: "1"}}})
			return err
		},
		"publish for the application of another": func() error {
			_, err := web.Publish(w.ctx, effect.Publication{Unit: dbUnit, Token: token, Bags: []effect.Bag{{Relation: relation, Application: true, Data: map[string]string{"a": "b"}}}})
			return err
		},
		"publish as leader with another's token": func() error {
			_, err := web.Publish(w.ctx, effect.Publication{Unit: webUnit, Token: token, Bags: []effect.Bag{{Relation: relation, Application: true, Data: map[string]string{"a": "b"}}}})
			return err
		},
		"publish in another's relation": func() error {
			_, err := db.Publish(w.ctx, effect.Publication{Unit: dbUnit, Bags: []effect.Bag{{Relation: apart(t, w), Data: map[string]string{"a": "b"}}}})
			return err
		},
		"make a secret of another's unit": func() error {
			_, err := web.PutSecret(w.ctx, effect.NewSecret{Unit: dbUnit, Name: "n", Scope: effect.UnitScope, Fields: fields})
			return err
		},
		"make a secret of another's application": func() error {
			_, err := web.PutSecret(w.ctx, effect.NewSecret{Unit: webUnit, Name: "n", Scope: effect.ApplicationScope, Token: token, Fields: fields})
			return err
		},
		"read a secret that is not granted": func() error {
			_, err := web.ReadSecrets(w.ctx, webUnit, []effect.SecretAt{{ID: private}})
			return err
		},
		"read a granted one beside one that is not": func() error {
			_, err := web.ReadSecrets(w.ctx, webUnit, []effect.SecretAt{{ID: granted}, {ID: private}})
			return err
		},
		"read from another model": func() error {
			_, err := stranger.ReadSecrets(w.ctx, dbUnit, []effect.SecretAt{{ID: private}})
			return err
		},
		"claim for another's unit": func() error {
			_, err := web.OpenClaim(w.ctx, effect.Claim{Unit: dbUnit, Task: "u", Key: "k", Token: token, Deadline: time.Minute})
			return err
		},
		"close another's claim": func() error {
			return web.CloseClaim(w.ctx, effect.ClaimResult{Unit: dbUnit, Task: "t", Key: "k", Token: claim, Public: "mine"})
		},
		"end another's operation": func() error {
			return web.FinishOperation(w.ctx, effect.OperationResult{ID: running.ID, Stdout: "forged"})
		},
		"fetch another's charm":       func() error { return web.FetchCharm(w.ctx, "h-db", io.Discard) },
		"have another's charm signed": func() error { _, err := web.SignCharm(w.ctx, "h-db"); return err },
		"speak as another machine":    func() error { return hello(w.ctx, web, db.uuid) },
	} {
		if err := ask(); !errors.Is(err, model.ErrDenied) && !(rule == "speak as another machine" && errors.Is(err, model.ErrInvalid)) {
			t.Errorf("%s: %v, want denied", rule, err)
		}
	}
	// What is granted is for reading: the grantee's own secret of that name is
	// another one, and the owner's stays.
	must(web.PutSecret(w.ctx, effect.NewSecret{Unit: webUnit, Name: "g", Scope: effect.UnitScope, Fields: map[string][]byte{"password": []byte("y")}}))(t)
	if opened := must(web.ReadSecrets(w.ctx, webUnit, []effect.SecretAt{{ID: granted, Revision: 1}}))(t); string(opened[0].Fields["password"]) != "x" {
		t.Errorf("the grantee changed it: %v", opened)
	}
	if _, err := web.ReadSecrets(w.ctx, webUnit, []effect.SecretAt{{ID: granted, Revision: 2}}); !errors.Is(err, model.ErrNotFound) {
		t.Errorf("a revision that was never granted: %v", err)
	}
	w.takesNoKeys(web)
}

// takesNoKeys checks that an agent whose machine carries no controller gets none
// of the controllers' keys.
func (w *world) takesNoKeys(a *fakeAgent) {
	w.t.Helper()
	members := must(client.DialMembership(a.as))(w.t)
	defer members.Close()
	if keys, err := members.Join(w.ctx, operator.ControllerSelf{ID: "c2", Address: "127.0.0.1:1"}); !errors.Is(err, model.ErrDenied) || len(keys.CAKey) > 0 {
		w.t.Errorf("an agent that asks for the controllers' keys is told %v", err)
	}
	if err := members.Leave(w.ctx, must(ownID(w.dir))(w.t)); !errors.Is(err, model.ErrDenied) {
		w.t.Errorf("an agent that has a controller leave is told %v", err)
	}
}

// hello opens a session for a machine.
func hello(ctx context.Context, a *fakeAgent, machine string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	s, err := a.Open(ctx)
	if err != nil {
		return err
	}
	if err := s.Send(effect.Upward{Hello: &effect.Hello{Machine: machine}}); err != nil {
		return err
	}
	for {
		if _, err := s.Recv(); err != nil {
			return err
		}
	}
}

// apart is a relation of two applications that have nothing to do with the
// others.
func apart(t *testing.T, w *world) model.RelationID {
	t.Helper()
	must(w.admin.Deploy(w.ctx, operator.Deploy{Model: "m", Charm: "db", Application: "second"}))(t)
	must(w.admin.Deploy(w.ctx, operator.Deploy{Model: "m", Charm: "web", Application: "site"}))(t)
	return must(w.admin.Integrate(w.ctx, operator.Integrate{Model: "m", A: ref(t, "site"), B: ref(t, "second")}))(t).Relation
}
