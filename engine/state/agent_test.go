package state

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/gantry-orchestrator/gantry/engine/state/tables"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

func publish(unit string, token uint64, p effect.Publication) Op {
	p.Unit, p.Token = ref(unit).Unit, token
	return Publish{Model: "m", Publication: p}
}

func TestOnlyTheLeaderPublishesForTheApplication(t *testing.T) {
	s := base(t)
	lead := token(t, s)
	peers := s.Relations(ApplicationRef{"m", "pg"})[0].ID
	bag := effect.Publication{Bags: []effect.Bag{{Relation: peers, Application: true, Data: map[string]string{"k": "v"}}}}
	record := effect.Publication{Records: []effect.Record{{Name: "founder", Scope: effect.ApplicationScope, Value: "pg/0"}}}
	for _, test := range []struct {
		rule string
		op   Op
		err  error
	}{
		{"the leader's bag is taken", publish("pg/0", lead, bag), nil},
		{"a lower token is refused", publish("pg/0", lead-1, bag), model.ErrDenied},
		{"another unit is refused, even with the token", publish("pg/1", lead, bag), model.ErrDenied},
		{"the leader's record is taken", publish("pg/0", lead, record), nil},
		{"another unit's record is refused", publish("pg/1", lead, record), model.ErrDenied},
		{"a relation of others is refused", publish("tm/0", 0, effect.Publication{Bags: []effect.Bag{{Relation: peers}}}), model.ErrDenied},
		{"a relation that has gone is passed over", publish("pg/1", 0, effect.Publication{Bags: []effect.Bag{{Relation: 99}}}), nil},
	} {
		t.Run(test.rule, func(t *testing.T) {
			if _, _, err := s.Apply(command(Agents, test.op)); !errors.Is(err, test.err) {
				t.Errorf("error %v, want %v", err, test.err)
			}
		})
	}
}

func TestARecordIsWrittenOnceAcrossLeaders(t *testing.T) {
	s := base(t)
	founder := func(value string) effect.Publication {
		return effect.Publication{Records: []effect.Record{{Name: "founder", Scope: effect.ApplicationScope, Value: value}}}
	}
	s = must1(t, s, publish("pg/0", token(t, s), founder("pg/0")))
	s = must1(t, s, GrantLease{Model: "m", Holder: ref("pg/1").Unit})
	s = must1(t, s, publish("pg/1", token(t, s), founder("pg/1")))
	if r, _ := s.Record("m", Owner{Application: "pg"}, "founder"); r.Value != "pg/0" {
		t.Errorf("founder is %q: a second one was recorded", r.Value)
	}
}

func TestPublishingTheSameAgainChangesNothing(t *testing.T) {
	s := base(t)
	op := publish("pg/1", 0, effect.Publication{
		Bags:     []effect.Bag{{Relation: s.Relations(ApplicationRef{"m", "pg"})[0].ID, Data: map[string]string{"k": "v"}}},
		Versions: map[string]string{"postgresql": "15.4"},
	})
	s = must1(t, s, op)
	_, r, err := s.Apply(command(Agents, op))
	if err != nil || len(r.Changed) != 0 {
		t.Errorf("changed %v, %v", r.Changed, err)
	}
}

func TestTheFirstVersionOfAPackageStays(t *testing.T) {
	s := must1(t, base(t), publish("pg/0", 0, effect.Publication{Versions: map[string]string{"postgresql": "15.4"}}))
	s = must1(t, s, publish("pg/1", 0, effect.Publication{Versions: map[string]string{"postgresql": "15.9", "patroni": "3.0"}}))
	a, _ := s.Application(ApplicationRef{"m", "pg"})
	if got := fmt.Sprint(a.Versions); got != "map[patroni:3.0 postgresql:15.4]" {
		t.Errorf("versions %v", got)
	}
}

func TestAClaimIsOpenOnceAndDoneOnce(t *testing.T) {
	s := base(t)
	lead := token(t, s)
	claim := func(unit string, token uint64) OpenClaim {
		return OpenClaim{Model: "m", Unit: ref(unit).Unit, Task: "bootstrap", TaskKey: "k", Token: token, Deadline: time.Minute}
	}
	at := func(s State, now time.Time, op Op) (State, Result, error) {
		c := command(Agents, op)
		c.Now = now
		return s.Apply(c)
	}
	s, opened, err := at(s, epoch, claim("pg/0", lead))
	if err != nil {
		t.Fatal(err)
	}
	if s, _, err = at(s, epoch, claim("pg/0", lead)); err != nil {
		t.Errorf("its holder asks again: %v", err)
	}
	if c, _ := s.Claim(ApplicationRef{"m", "pg"}, "bootstrap", "k"); c.Token != opened.Index {
		t.Errorf("asked twice it has token %d, not %d", c.Token, opened.Index)
	}
	if _, _, err := at(s, epoch, claim("pg/1", lead)); !errors.Is(err, model.ErrDenied) {
		t.Errorf("a unit that does not lead: %v", err)
	}
	s = must1(t, s, GrantLease{Model: "m", Holder: ref("pg/1").Unit})
	next := token(t, s)
	if _, _, err := at(s, epoch.Add(time.Minute), claim("pg/1", next)); !errors.Is(err, model.ErrConflict) {
		t.Errorf("the new leader did not wait for its predecessor's claim: %v", err)
	}
	s, reopened, err := at(s, epoch.Add(time.Minute+1), claim("pg/1", next))
	if err != nil {
		t.Fatalf("an overdue claim: %v", err)
	}
	done := CloseClaim{Model: "m", Unit: ref("pg/0").Unit, Task: "bootstrap", TaskKey: "k", Token: opened.Index, Public: "late"}
	if _, _, err := at(s, epoch, done); !errors.Is(err, model.ErrDenied) {
		t.Errorf("the stale result: %v, want it denied", err)
	}
	done.Unit, done.Token, done.Public = ref("pg/1").Unit, reopened.Index, "42"
	s, _, err = at(s, epoch, done)
	if err != nil {
		t.Fatal(err)
	}
	if r, _ := s.Record("m", Owner{Application: "pg"}, "bootstrap"); r.Value != "42" {
		t.Errorf("result recorded as %q", r.Value)
	}
	if _, _, err := at(s, epoch.Add(time.Hour), claim("pg/1", next)); !errors.Is(err, model.ErrConflict) {
		t.Errorf("a done key ran again: %v", err)
	}
}

func TestAFailedClaimMayBeOpenedAgain(t *testing.T) {
	s := base(t)
	claim := OpenClaim{Model: "m", Unit: ref("pg/0").Unit, Task: "b", TaskKey: "k", Token: token(t, s), Deadline: time.Minute}
	s, opened, err := s.Apply(command(Agents, claim))
	if err != nil {
		t.Fatal(err)
	}
	s = must1(t, s, CloseClaim{Model: "m", Unit: claim.Unit, Task: "b", TaskKey: "k", Token: opened.Index, Failed: "no route"})
	s, again, err := s.Apply(command(Agents, claim))
	if err != nil || again.Index <= opened.Index {
		t.Fatalf("%v under token %d after %d", err, again.Index, opened.Index)
	}
	s = must1(t, s, ResolveTask{Model: "m", Application: "pg", Task: "b", TaskKey: "k", Done: true})
	if c, _ := s.Claim(ApplicationRef{"m", "pg"}, "b", "k"); c.State != effect.ClaimDone {
		t.Errorf("resolved as %s", c.State)
	}
}

func TestTheFirstSecretOfANameWinsAndLaterOnesGrantOnly(t *testing.T) {
	s := must1(t, base(t), relate())
	relation := s.Relations(ApplicationRef{"m", "tm"})[0].ID
	put := func(id string, grants ...model.RelationID) PutSecret {
		return PutSecret{
			Model: "m", Unit: ref("pg/0").Unit, Token: token(t, s), ID: id, Name: "password", Scope: effect.ApplicationScope,
			Fields: []string{"value"}, Sealed: []byte(id), Grants: grants,
		}
	}
	s = must1(t, s, put("secret:1"))
	s, r, err := s.Apply(command(Agents, put("secret:2", relation)))
	if err != nil || r.Created[0].ID != "secret:1" {
		t.Fatalf("told %v, %v; want the first one's ID", r.Created, err)
	}
	granted := s.Granted(RelationRef{"m", relation})
	if len(granted) != 1 || string(granted[0].Sealed) != "secret:1" {
		t.Errorf("granted %+v", granted)
	}
	other := put("secret:3", s.Relations(ApplicationRef{"m", "pg"})[0].ID)
	other.Unit, other.Scope = ref("tm/0").Unit, effect.UnitScope
	if _, _, err := s.Apply(command(Agents, other)); !errors.Is(err, model.ErrDenied) {
		t.Errorf("granting through the relation of others: %v", err)
	}
}

func TestATokenIsSpentOnceAndOnlyByWhomItIsMeantFor(t *testing.T) {
	s := base(t)
	m, _ := s.Machine(MachineRef{"m", "0"})
	add := AddToken{Hash: "h", Machine: m.UUID, Expires: epoch.Add(time.Minute)}
	join := func(s State, machine string, now time.Time) (State, error) {
		c := command(Agents, RedeemToken{Hash: "h", Machine: machine, Certificate: "cert"})
		c.Now = now
		s, _, err := s.Apply(c)
		return s, err
	}
	s = must1(t, s, add)
	if _, err := join(s, "another", epoch); !errors.Is(err, model.ErrDenied) {
		t.Errorf("another machine: %v", err)
	}
	if _, err := join(s, m.UUID, epoch.Add(time.Hour)); !errors.Is(err, model.ErrDenied) {
		t.Errorf("too late: %v", err)
	}
	s, err := join(s, m.UUID, epoch)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := join(s, m.UUID, epoch); !errors.Is(err, model.ErrDenied) {
		t.Errorf("a second time: %v", err)
	}
	if a, ok := s.Agent(m.UUID); !ok || a.Certificate != "cert" {
		t.Errorf("agent %+v", a)
	}
}

func TestAFencedMachineIsNotListenedTo(t *testing.T) {
	s := must1(t, base(t), AcknowledgeLost{Model: "m", Machine: "1"})
	for _, op := range []Op{
		publish("pg/1", 0, effect.Publication{}),
		MachineJoined{Model: "m", Machine: "1", Address: "10.0.0.9"},
	} {
		if _, _, err := s.Apply(command(Agents, op)); !errors.Is(err, model.ErrDenied) {
			t.Errorf("%T: %v, want it denied", op, err)
		}
	}
}

func TestTheFirstResultOfAnOperationStays(t *testing.T) {
	s, r, err := base(t).Apply(command(Operator, EnqueueOperation{Model: "m", Run: effect.Operation{
		Kind: effect.ActionOperation, Unit: ref("pg/0").Unit, Action: "backup", Params: map[string]any{"n": int64(1), "deep": map[string]any{"x": true}},
	}}))
	if err != nil {
		t.Fatal(err)
	}
	id := r.Created[0].ID
	if pending := s.PendingOn(ref("pg/0")); len(pending) != 1 || pending[0].Run.ID != id {
		t.Fatalf("pending %+v", pending)
	}
	for _, out := range []string{"first", "second"} {
		s = must1(t, s, FinishOperation{Model: "m", Result: effect.OperationResult{ID: id, Stdout: out}})
	}
	op, _ := s.Operation("m", id)
	if op.Result == nil || op.Result.Stdout != "first" || len(s.PendingOn(ref("pg/0"))) != 0 {
		t.Errorf("operation %+v", op)
	}
}

func TestNothingOfAModelOutlivesIt(t *testing.T) {
	s := must1(t, base(t), relate(), publish("pg/1", 0, effect.Publication{Records: []effect.Record{{Name: "x", Scope: effect.UnitScope, Value: "1"}}}),
		SetUser{Name: "op"}, SetAccess{User: "op", Model: "m", Level: model.ReadAccess})
	s = must1(t, s, DestroyModel{Model: "m", Force: true})
	for _, u := range s.ModelUnits("m") {
		s = must1(t, s, Advance{Subject: u.Ref().Key(), To: Bury}, Advance{Subject: u.Ref().Key(), To: Forget})
	}
	for _, r := range s.Relations(ApplicationRef{"m", "tm"}) {
		s = must1(t, s, Advance{Subject: r.Ref().Key(), To: Forget})
	}
	for _, a := range s.Applications("m") {
		s = must1(t, s, Advance{Subject: a.Ref().Key(), To: Forget})
	}
	for _, m := range s.Machines("m") {
		s = must1(t, s, Advance{Subject: m.Ref().Key(), To: Bury}, MachineGone{Model: "m", Machine: m.Name})
	}
	s = must1(t, s, Advance{Subject: ModelKey("m"), To: Forget})
	for _, table := range s.tables() {
		switch table.name() {
		case tables.User, tables.Revision, tables.Answer:
			continue
		}
		if n := table.len(); n != 0 {
			t.Errorf("%d %s rows are left", n, table.name())
		}
	}
}

func TestEndedOperationsAndOrdersAreBounded(t *testing.T) {
	s := base(t)
	for i := range operationsKept + 3 {
		s = must1(t, s, EnqueueOperation{Model: "m", Run: effect.Operation{Kind: effect.ExecOperation, Machine: "0", Command: []string{"true"}}},
			FinishOperation{Model: "m", Result: effect.OperationResult{ID: fmt.Sprint(i + 1)}})
	}
	if n := len(s.Operations("m")); n != operationsKept {
		t.Errorf("%d operations are kept, want %d", n, operationsKept)
	}
	for i := range ordersKept + 3 {
		id := fmt.Sprint("o", i)
		s = must1(t, s, StartOrder{Model: "m", Application: "pg", ID: id, Name: "restore"})
		s = must1(t, s, CancelOrder{Model: "m", Application: "pg", ID: id})
	}
	if n := len(s.Orders(ApplicationRef{"m", "pg"})); n != ordersKept+1 {
		t.Errorf("%d orders are kept, want %d", n, ordersKept+1)
	}
}

func publicationOf(i int) effect.Publication {
	return effect.Publication{Bags: []effect.Bag{{Relation: 1, Data: map[string]string{"k": fmt.Sprint(i)}}}}
}

func TestWhatIsDoneIsClaimedAgainOnlyInPlaceOfTheClaimThatDidIt(t *testing.T) {
	s := base(t)
	claim := OpenClaim{Model: "m", Unit: ref("pg/0").Unit, Task: "configure", TaskKey: "4MB", Token: token(t, s), Deadline: time.Minute}
	again := func(supersedes uint64) OpenClaim {
		o := claim
		o.Supersedes = supersedes
		return o
	}
	s, first, err := s.Apply(command(Agents, claim))
	if err != nil {
		t.Fatal(err)
	}
	open, _ := s.Claim(ApplicationRef{"m", "pg"}, "configure", "4MB")
	if s, _, err = s.Apply(command(Agents, again(first.Index))); err != nil {
		t.Fatal(err)
	}
	if c, _ := s.Claim(ApplicationRef{"m", "pg"}, "configure", "4MB"); c != open {
		t.Errorf("what is open was opened anew: %+v", c)
	}
	s = must1(t, s, CloseClaim{Model: "m", Unit: claim.Unit, Task: "configure", TaskKey: "4MB", Token: first.Index})
	for name, o := range map[string]OpenClaim{"no claim": claim, "an earlier claim": again(first.Index - 1), "a claim to come": again(first.Index + 99)} {
		if _, _, err := s.Apply(command(Agents, o)); !errors.Is(err, model.ErrConflict) {
			t.Errorf("in place of %s: %v", name, err)
		}
	}
	foreign := again(first.Index)
	foreign.Unit = ref("pg/1").Unit
	if _, _, err := s.Apply(command(Agents, foreign)); !errors.Is(err, model.ErrDenied) {
		t.Errorf("a unit that does not lead: %v", err)
	}
	s, second, err := s.Apply(command(Agents, again(first.Index)))
	if err != nil || second.Index <= first.Index {
		t.Fatalf("%v under token %d after %d", err, second.Index, first.Index)
	}
	if _, _, err := s.Apply(command(Agents, CloseClaim{Model: "m", Unit: claim.Unit, Task: "configure", TaskKey: "4MB", Token: first.Index})); !errors.Is(err, model.ErrDenied) {
		t.Errorf("the claim that was replaced is closed: %v", err)
	}
	s = must1(t, s, CloseClaim{Model: "m", Unit: claim.Unit, Task: "configure", TaskKey: "4MB", Token: second.Index})
	if _, _, err := s.Apply(command(Agents, again(first.Index))); !errors.Is(err, model.ErrConflict) {
		t.Errorf("one that heard of the first run only, after the second: %v", err)
	}
}

// However claims are asked for and closed, by whomever, a run begins only when
// none is under way, after one that was done only where it is named, and under
// a token that is newer than all before.
func TestPropertyAClaimFollowsOnlyWhatItKnowsOf(t *testing.T) {
	start := base(t)
	pg := ApplicationRef{"m", "pg"}
	rapid.Check(t, func(t *rapid.T) {
		s, now := start, epoch
		var tokens []uint64
		pick := rapid.Custom(func(t *rapid.T) uint64 {
			return slices.Concat([]uint64{0}, tokens)[rapid.IntRange(0, len(tokens)).Draw(t, "of")]
		})
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, 40).Draw(t, "seconds")) * time.Second)
			u := ref(fmt.Sprint("pg/", rapid.IntRange(0, 2).Draw(t, "unit"))).Unit
			lease, _ := s.Lease(pg)
			var op Op
			switch rapid.IntRange(0, 3).Draw(t, "kind") {
			case 0:
				op = GrantLease{Model: "m", Holder: u}
			case 1:
				op = CloseClaim{Model: "m", Unit: u, Task: "t", TaskKey: "k", Token: pick.Draw(t, "closed"), Failed: rapid.SampledFrom([]string{"", "no"}).Draw(t, "failed")}
			default:
				op = OpenClaim{Model: "m", Unit: u, Task: "t", TaskKey: "k", Token: lease.Token, Supersedes: pick.Draw(t, "superseded"), Deadline: time.Minute}
			}
			c := command(Agents, op)
			c.Now = now
			was, existed := s.Claim(pg, "t", "k")
			next, _, err := s.Apply(c)
			is, _ := next.Claim(pg, "t", "k")
			s = next
			if o, opens := op.(OpenClaim); opens && err == nil && is != was {
				switch {
				case existed && is.Token <= was.Token:
					t.Fatalf("token %d after %d", is.Token, was.Token)
				case was.State == effect.ClaimOpen && !now.After(was.Deadline):
					t.Fatalf("%v runs it and so does %v", was.Unit, is.Unit)
				case was.State == effect.ClaimDone && o.Supersedes != was.Token:
					t.Fatalf("%d was done, and it ran again in place of %d", was.Token, o.Supersedes)
				case is.Unit != lease.Holder:
					t.Fatalf("%v runs it and %v leads", is.Unit, lease.Holder)
				}
				tokens = append(tokens, is.Token)
			} else if opens && is != was {
				t.Fatalf("it was refused and changed %+v to %+v", was, is)
			} else if opens && err != nil && was.State == effect.ClaimDone && o.Supersedes == was.Token && o.Unit == lease.Holder {
				t.Fatalf("what is done and named is refused: %v", err)
			}
		}
	})
}
