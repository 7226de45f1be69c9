package state

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/gantry-orchestrator/gantry/engine/state/tables"
	"github.com/gantry-orchestrator/gantry/model"
)

// at applies ops at a time after the epoch.
func at(s State, after time.Duration, ops ...Op) (State, error) {
	c := command(Operator, ops...)
	c.Now = epoch.Add(after)
	next, _, err := s.Apply(c)
	return next, err
}

func peopled(t testing.TB) State {
	return must1(t, base(t), SetUser{Name: "root", Superuser: true, Certificates: []string{"r"}},
		SetUser{Name: "ann", Certificates: []string{"a"}}, SetAccess{User: "ann", Model: "m", Level: model.WriteAccess})
}

func TestARemovedUserLeavesNothing(t *testing.T) {
	s := must1(t, peopled(t),
		AddToken{Hash: "reg", User: "ann", Expires: epoch.Add(time.Hour)},
		AddToken{Hash: "api", ID: "1", User: "ann", Model: "m", Level: model.ReadAccess, Expires: epoch.Add(time.Hour)})
	s = must1(t, s, Revoke{User: "ann"})
	if _, ok := s.UserOf("a"); ok {
		t.Error("the certificate still speaks for somebody")
	}
	if s.Access("ann", "m") != "" || s.tokens.len() != 0 {
		t.Errorf("access %q and %d tokens are left", s.Access("ann", "m"), s.tokens.len())
	}
	if s = must1(t, s, SetUser{Name: "ann"}); s.Access("ann", "m") != "" {
		t.Error("a user of the same name inherits access")
	}
}

func TestTheLastAdministratorStays(t *testing.T) {
	s := peopled(t)
	for rule, op := range map[string]Op{
		"removed":  Revoke{User: "root"},
		"disabled": SetUser{Name: "root", Superuser: true, Disabled: true},
		"demoted":  SetUser{Name: "root"},
	} {
		if _, err := at(s, 0, op); !errors.Is(err, model.ErrConflict) {
			t.Errorf("%s: %v", rule, err)
		}
	}
	if _, err := at(must1(t, s, SetUser{Name: "ann", Superuser: true}), 0, Revoke{User: "root"}); err != nil {
		t.Errorf("with another one: %v", err)
	}
}

func TestARegistrationTokenIsSpentOnceAndOnlyInTime(t *testing.T) {
	s := must1(t, peopled(t), AddToken{Hash: "reg", User: "ann", Expires: epoch.Add(time.Minute)})
	redeem := RedeemToken{Hash: "reg", Certificate: "new", Until: epoch.Add(time.Hour)}
	if _, err := at(s, 2*time.Minute, redeem); !errors.Is(err, model.ErrDenied) {
		t.Errorf("too late: %v", err)
	}
	if _, err := at(must1(t, s, SetUser{Name: "ann", Disabled: true}), 0, redeem); !errors.Is(err, model.ErrDenied) {
		t.Errorf("for a disabled user: %v", err)
	}
	s = must1(t, s, redeem)
	if u, ok := s.UserOf("new"); !ok || u.Name != "ann" || !u.Speaks("new", epoch) || u.Speaks("new", epoch.Add(time.Hour)) {
		t.Errorf("the certificate speaks for %+v", u)
	}
	if _, err := at(s, 0, redeem); !errors.Is(err, model.ErrDenied) {
		t.Errorf("again: %v", err)
	}
	s = must1(t, s, AddToken{Hash: "api", ID: "1", User: "ann", Model: "m", Level: model.ReadAccess, Expires: epoch.Add(time.Hour)})
	if _, err := at(s, 0, RedeemToken{Hash: "api", Certificate: "x"}); !errors.Is(err, model.ErrDenied) {
		t.Errorf("an API token is redeemed: %v", err)
	}
}

func TestARenewedCertificateOverlapsTheOldOne(t *testing.T) {
	s := must1(t, peopled(t), AddToken{Hash: "h", Machine: "u", Expires: epoch.Add(time.Hour)}, RedeemToken{Hash: "h", Machine: "u", Certificate: "c1"})
	renew := func(s State, after time.Duration, o RenewCertificate) State {
		t.Helper()
		o.Overlap = time.Hour
		next, err := at(s, after, o)
		if err != nil {
			t.Fatal(err)
		}
		return next
	}
	s = renew(s, 0, RenewCertificate{Agent: "u", Was: "c1", Certificate: "c2"})
	s = renew(s, 0, RenewCertificate{Was: "a", Certificate: "a2"})
	a, _ := s.Agent("u")
	u, _ := s.UserOf("a2")
	late := epoch.Add(2 * time.Hour)
	for rule, got := range map[string]bool{
		"the agent's old one speaks in the overlap": a.Speaks("c1", epoch), "and its new one": a.Speaks("c2", epoch), "its old one not later": !a.Speaks("c1", late),
		"the user's old one speaks in the overlap": u.Speaks("a", epoch), "and the new one": u.Speaks("a2", epoch), "the old one not later": !u.Speaks("a", late),
		"no certificate speaks for nobody": !a.Speaks("", epoch),
	} {
		if !got {
			t.Errorf("it is false that %s", rule)
		}
	}
	// The answer was lost: asked again with the old one, whose end stays.
	s = renew(s, 30*time.Minute, RenewCertificate{Agent: "u", Was: "c1", Certificate: "c3"})
	if a, _ := s.Agent("u"); !a.Speaks("c3", epoch) || a.Speaks("c2", epoch) || a.Speaks("c1", epoch.Add(61*time.Minute)) {
		t.Errorf("after a lost answer %+v", a)
	}
	for _, o := range []RenewCertificate{
		{Agent: "u", Was: "c1", Certificate: "x"}, {Agent: "other", Was: "c3", Certificate: "x"}, {Was: "a", Certificate: "x"}, {Was: "unknown", Certificate: "x"},
	} {
		if _, err := at(s, 2*time.Hour, o); !errors.Is(err, model.ErrDenied) {
			t.Errorf("renew %+v: %v", o, err)
		}
	}
}

func TestWhatOneUserMayHaveIsBounded(t *testing.T) {
	s, err := peopled(t), error(nil)
	was := "a"
	for i := 0; err == nil; i++ {
		next := fmt.Sprint("n", i)
		s, err = at(s, 0, RenewCertificate{Was: was, Certificate: next, Overlap: time.Hour})
		was = next
		if i > 2*maxCertificates {
			t.Fatal("renewing in a loop is not refused")
		}
	}
	if !errors.Is(err, model.ErrConflict) {
		t.Error(err)
	}
	s, err = peopled(t), nil
	for i := 0; err == nil; i++ {
		s, err = at(s, 0, AddToken{Hash: fmt.Sprint(i), ID: fmt.Sprint(i), User: "ann", Model: "m", Level: model.ReadAccess, Expires: epoch.Add(time.Hour)})
		if i > 2*maxTokens {
			t.Fatal("making tokens in a loop is not refused")
		}
	}
	if !errors.Is(err, model.ErrConflict) {
		t.Error(err)
	}
}

func TestAnAuditAnchorNeverGoesBack(t *testing.T) {
	s := must1(t, base(t), AnchorAudit{Controller: "c", Anchor: Anchor{Sequence: 7, Hash: "h"}})
	snapshot := s
	if _, err := at(s, 0, AnchorAudit{Controller: "c", Anchor: Anchor{Sequence: 6, Hash: "x"}}); !errors.Is(err, model.ErrConflict) {
		t.Errorf("back to 6: %v", err)
	}
	s = must1(t, s, AnchorAudit{Controller: "c", Anchor: Anchor{Sequence: 9, Hash: "i"}})
	if a, _ := snapshot.Audited("c"); a.Sequence != 7 {
		t.Errorf("a snapshot changed: %+v", a)
	}
	if a, _ := s.Audited("c"); a.Sequence != 9 {
		t.Errorf("the anchor is %+v", a)
	}
}

// cycle makes one of everything that lets somebody in, and takes it back.
func cycle(s State, i int) (State, error) {
	user, token := model.UserName(fmt.Sprint("u", i)), fmt.Sprint("t", i)
	m, _ := s.Model("m")
	uuid := machineUUID(m.UUID, model.MachineName(fmt.Sprint(m.NextMachine)))
	steps := [][]Op{
		{SetUser{Name: user}, SetAccess{User: user, Model: "m", Level: model.ReadAccess}, AddToken{Hash: token, User: user, Expires: epoch.Add(time.Hour)}},
		{RedeemToken{Hash: token, Certificate: "c" + token, Until: epoch.Add(time.Hour)}},
		{RenewCertificate{Was: "c" + token, Certificate: "d" + token, Overlap: time.Minute}},
		{AddToken{Hash: "api" + token, ID: token, User: user, Model: "m", Level: model.ReadAccess, Expires: epoch.Add(time.Hour)}},
		{AddMachine{Model: "m"}},
		{AddToken{Hash: "m" + token, Machine: uuid, Expires: epoch.Add(time.Hour)}, RedeemToken{Hash: "m" + token, Machine: uuid, Certificate: "m" + token}},
		{relate()},
		{Revoke{User: user}},
	}
	var err error
	for _, ops := range steps {
		if s, err = at(s, 0, ops...); err != nil {
			return s, fmt.Errorf("cycle %d: %T: %w", i, ops[0], err)
		}
	}
	machine, _ := s.MachineByUUID(uuid)
	steps = [][]Op{{RemoveMachine{Model: "m", Machine: machine.Name}}, {Advance{Subject: machine.Ref().Key(), To: Bury}}, {MachineGone{Model: "m", Machine: machine.Name}}}
	for _, r := range s.Relations(ApplicationRef{"m", "tm"}) {
		steps = append(steps, []Op{RemoveRelation{Model: "m", Relation: r.ID}}, []Op{Advance{Subject: r.Ref().Key(), To: Forget}})
	}
	for _, ops := range steps {
		if s, err = at(s, 0, ops...); err != nil {
			return s, fmt.Errorf("cycle %d: %T: %w", i, ops[0], err)
		}
	}
	return s, nil
}

func TestTenThousandCyclesLeaveNothingBehind(t *testing.T) {
	cycles := 10000
	if testing.Short() {
		cycles = 1500
	}
	s := must1(t, base(t), SetUser{Name: "root", Superuser: true, Certificates: []string{"r"}})
	rows := map[tables.Name]int{}
	for _, table := range s.tables() {
		rows[table.name()] = table.len()
	}
	var err error
	size := 0
	for i := range cycles {
		if s, err = cycle(s, i); err != nil {
			t.Fatal(err)
		}
		// The bounded record of revisions is full from here on.
		if i == cycles*3/4 {
			size = len(bytesOf(t, s))
		}
	}
	for _, table := range s.tables() {
		if table.name() != tables.Revision && table.len() != rows[table.name()] {
			t.Errorf("%d %s rows after %d cycles, %d before", table.len(), table.name(), cycles, rows[table.name()])
		}
	}
	kept := s.revisions.len()
	if kept > revisionsKept {
		t.Errorf("%d revisions are kept", kept)
	}
	// Numbers grow by a digit; nothing else may.
	if grown := len(bytesOf(t, s)) - size; kept == revisionsKept && grown > size/50 {
		t.Errorf("the state grew from %d bytes by %d in the last quarter", size, grown)
	}
	t.Logf("state after %d cycles: %d bytes, %d revisions", cycles, len(bytesOf(t, s)), kept)
}
