package sdk_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/gantry-orchestrator/gantry/charms/sdk"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

func facts(values map[effect.ProbeID]string) effect.Input {
	in := effect.Input{Facts: map[effect.ProbeID]effect.Fact{}}
	for id, value := range values {
		in.Facts[id] = effect.Fact{Value: value}
	}
	return in
}

type role string

func TestAFactIsKnownOnlyWhereItReadsAsItsType(t *testing.T) {
	in := facts(map[effect.ProbeID]string{"up": "true", "code": "200", "role": "primary", "lag": "many", "json": `{"patroni.role":"replica","timeline":3}`})
	if up, known := sdk.Fact[bool](in, "up"); !known || !up {
		t.Error("a bool")
	}
	if code, known := sdk.Fact[int](in, "code"); !known || code != 200 {
		t.Error("an int")
	}
	if r, known := sdk.Fact[role](in, "role"); !known || r != "primary" {
		t.Error("a type of string")
	}
	if _, known := sdk.Fact[int](in, "lag"); known {
		t.Error("a word was known as a number")
	}
	if up, known := sdk.Fact[bool](in, "absent"); known || up {
		t.Error("an absent fact was known")
	}
	if r, known := sdk.FactField[role](in, "json", "patroni.role"); !known || r != "replica" {
		t.Error("a field of type string")
	}
	if n, known := sdk.FactField[int](in, "json", "timeline"); !known || n != 3 {
		t.Error("a field that is a number")
	}
	if _, known := sdk.FactField[int](in, "json", "lag"); known {
		t.Error("an absent field was known")
	}
}

func TestAVolumeIsEmptyForeignStampedOrUnknown(t *testing.T) {
	in := facts(map[effect.ProbeID]string{"volume/a": "empty", "volume/b": "foreign", "volume/c": "stamped:one", "volume/d": "odd"})
	for id, want := range map[effect.ID]sdk.VolumeState{"a": {Empty: true}, "b": {Foreign: true}, "c": {Incarnation: "one"}} {
		if got, known := sdk.Volume(in, id); !known || got != want {
			t.Errorf("%s: %+v, %v", id, got, known)
		}
	}
	for _, id := range []effect.ID{"d", "e"} {
		if _, known := sdk.Volume(in, id); known {
			t.Errorf("%s is known", id)
		}
	}
}

func TestConfigurationReadsTheSameThroughJSON(t *testing.T) {
	in := effect.Input{Spec: effect.Spec{Config: map[string]any{"s": "x", "i": int64(5432), "f": 0.5, "b": true}}}
	b, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	var through effect.Input
	if err := json.Unmarshal(b, &through); err != nil {
		t.Fatal(err)
	}
	for name, in := range map[string]effect.Input{"as it is": in, "through JSON": through} {
		if sdk.String(in, "s") != "x" || sdk.Int(in, "i") != 5432 || sdk.Float(in, "f") != 0.5 || sdk.Float(in, "i") != 5432 || !sdk.Bool(in, "b") {
			t.Errorf("%s: %v", name, in.Spec.Config)
		}
		if sdk.String(in, "none") != "" || sdk.Int(in, "none") != 0 || sdk.Bool(in, "none") {
			t.Errorf("%s: an option without a value has one", name)
		}
	}
}

func TestEqualTextsAreEqualContentsHoweverTheyAreCut(t *testing.T) {
	secret := sdk.Secret(effect.Secret{ID: "secret:1", Revision: 2}, "password")
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringN(0, 20, -1).Draw(t, "text")
		cut := rapid.IntRange(0, len(text)).Draw(t, "cut")
		whole := sdk.Text(text, secret, text)
		parts := sdk.Text(text[:cut], text[cut:], "", secret, sdk.Text(text[:cut]), text[cut:])
		if diff := cmp.Diff(whole, parts); diff != "" {
			t.Fatal(diff)
		}
	})
	want := effect.Content{{Text: "port 5432 "}, {Secret: &effect.SecretRef{ID: "secret:1", Revision: 2, Field: "password", Encoding: effect.URL}}}
	got := sdk.Text("port ", 5432, " ", sdk.Encoded(effect.Secret{ID: "secret:1", Revision: 2}, "password", effect.URL))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatal(diff)
	}
}

func TestTextLeavesTheContentsThatItJoinsAlone(t *testing.T) {
	base := make(effect.Content, 1, 4)
	base[0].Text = "a"
	sdk.Text(base, "b")
	if base[0].Text != "a" {
		t.Fatal("joining changed a content")
	}
}

func TestASecretIsFoundByNameOnlyWhereItIsTheUnitsOwn(t *testing.T) {
	me := model.UnitName{Application: "app", Number: 1}
	in := effect.Input{Spec: effect.Spec{Unit: me, Secrets: []effect.Secret{
		{ID: "theirs", Name: "tls", Owner: "other"},
		{ID: "sibling", Name: "tls", Owner: "app", Unit: model.UnitName{Application: "app", Number: 0}},
		{ID: "mine", Name: "tls", Owner: "app", Unit: me},
	}}}
	if s, ok := sdk.SecretNamed(in, "tls"); !ok || s.ID != "mine" {
		t.Errorf("found %q", s.ID)
	}
	if s, ok := sdk.SecretByID(in, "theirs"); !ok || s.Owner != "other" {
		t.Error("a granted secret is found by its ID")
	}
}

func TestPeersAreThoseThatAreNotGoneByNumber(t *testing.T) {
	unit := func(n int, gone bool) effect.Remote {
		return effect.Remote{Unit: model.UnitName{Application: "app", Number: n}, Gone: gone}
	}
	in := effect.Input{Spec: effect.Spec{Relations: []effect.Relation{
		{ID: 1, Endpoint: "db", Role: model.Requires, Life: model.Dying},
		{ID: 2, Endpoint: "db", Role: model.Requires},
		{ID: 3, Endpoint: "members", Role: model.Peer, Units: []effect.Remote{unit(10, false), unit(2, false), unit(1, true)}},
	}}}
	peers := sdk.Peers(in)
	if len(peers) != 2 || peers[0].Unit.Number != 2 || peers[1].Unit.Number != 10 {
		t.Errorf("peers %v", peers)
	}
	if r, ok := sdk.Relation(in, "db"); !ok || r.ID != 2 {
		t.Errorf("the alive relation is %d", r.ID)
	}
	if all := sdk.Relations(in, "db"); len(all) != 2 {
		t.Errorf("%d relations", len(all))
	}
}

func TestTheBuilderGivesBackTheIDsThatItUses(t *testing.T) {
	var b sdk.Builder
	pkg := b.Package("redis")
	conf := b.File(effect.File{Path: "/etc/redis.conf", After: []effect.ID{pkg}})
	dir := b.Dir(effect.File{Path: "/srv/data"})
	b.Service(effect.Service{ID: "service/redis", Command: []string{"/bin/redis"}, Uses: []effect.ID{pkg, dir}, RestartOn: []effect.ID{conf}})
	b.Task(effect.Task{ID: "task/t", Run: effect.Exec{Command: []string{"/bin/t"}}, Idempotent: true})
	late, early := time.Unix(20, 0), time.Unix(10, 0)
	b.Revisit(late)
	b.Revisit(early)
	b.Revisit(late)
	want := b.Done(sdk.Active("%d ready", 1))
	if err := want.Validate(); err != nil {
		t.Fatal(err)
	}
	if pkg != "package/redis" || conf != "file/redis.conf" || dir != "dir/data" || want.Files[0].Mode != 0o644 || want.Files[1].Mode != 0o755 {
		t.Errorf("%s %s %s %v", pkg, conf, dir, want.Files)
	}
	if want.Tasks[0].Scope != effect.UnitScope || !want.Revisit.Equal(early) || want.Status.Message != "1 ready" {
		t.Errorf("%+v", want)
	}
}

func TestALockIsWantedAsSoftwareBelowTheMachinesOwnDirectory(t *testing.T) {
	s := sdk.MustLock([]byte("name: kafka\nversion: 4.1.0\njars:\n- {coordinates: a:b:1, sha256: " + strings.Repeat("a", 64) + ", size: 7}\n"))
	var b sdk.Builder
	if id := b.Software(s); id != "software/kafka" {
		t.Errorf("id %s", id)
	}
	want := b.Done(sdk.Active(""))
	if err := want.Validate(); err != nil {
		t.Fatal(err)
	}
	in := effect.Input{Host: effect.Host{Software: "/srv/software"}}
	if dir := sdk.SoftwareDir(in, want.Software[0]); !strings.HasPrefix(dir, "/srv/software/kafka-4.1.0-") || dir != sdk.SoftwareDir(in, s) {
		t.Errorf("directory %s", dir)
	}
	if _, err := sdk.Lock([]byte("name: kafka\n")); !errors.Is(err, model.ErrInvalid) {
		t.Errorf("half a lock: %v", err)
	}
}

func TestAnAddressOfEitherKindIsJoinedWithItsPort(t *testing.T) {
	for address, want := range map[string]string{"10.0.0.1": "10.0.0.1:80", "fd00::1": "[fd00::1]:80"} {
		if got := sdk.Join(address, 80); got != want {
			t.Errorf("%s, wanted %s", got, want)
		}
	}
}

// doer is a charm whose call fails as its name says.
type doer struct{}

func (doer) Reconcile(effect.Input) effect.Desired { return effect.Desired{} }

func (doer) Call(_ context.Context, call effect.Invocation) (string, error) {
	switch call.Name {
	case "fail":
		return "", errors.New("no such table")
	case "index":
		return []string{}[len(call.Args)], nil
	default:
		return "done by " + call.Name, nil
	}
}

func TestInvokeGivesAResultOrWhyThereIsNone(t *testing.T) {
	for name, tt := range map[string]struct{ kind, call, value, failure string }{
		"a call that works":                 {"call", "migrate", "done by migrate", ""},
		"a call that fails":                 {"call", "fail", "", "no such table"},
		"the runtime's own panic is told":   {"call", "index", "", "index out of range"},
		"a charm without actions says that": {"action", "restart", "", "has no actions"},
	} {
		t.Run(name, func(t *testing.T) {
			r := sdk.Invoke(t.Context(), doer{}, tt.kind, effect.Invocation{Name: tt.call})
			if r.Value != tt.value || !strings.Contains(r.Error, tt.failure) || (r.Error == "") != (tt.failure == "") {
				t.Fatalf("%+v", r)
			}
		})
	}
}

func TestACharmThatIsStartedByHandSaysWhatToDo(t *testing.T) {
	for _, args := range [][]string{nil, {"run"}, {"call"}, {"other", "thing"}} {
		if err := sdk.Exec(t.Context(), doer{}, args); !errors.Is(err, model.ErrInvalid) {
			t.Errorf("%v: %v", args, err)
		}
	}
}
