package sdktest

import (
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/gantry-orchestrator/gantry/charms/sdk"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

const metadata = `name: sample
summary: a charm for tests
peers:
  members:
    interface: sample_peers
provides:
  database:
    interface: postgresql_client
    optional: true
config:
  options:
    size:
      type: int
      default: 1
      description: how big
`

func files(text string) fs.FS {
	return fstest.MapFS{"charm.yaml": &fstest.MapFile{Data: []byte(text)}}
}

// sample is a charm made of a function.
type sample func(effect.Input) effect.Desired

func (s sample) Reconcile(in effect.Input) effect.Desired { return s(in) }

func of(s sample) sdk.Builtin { return sdk.Builtin{Name: "sample", Files: files(metadata), Charm: s} }

// fake is a T that a check may fail without failing the test.
type fake struct{ said string }

func (f *fake) Helper()             {}
func (f *fake) Name() string        { return "fake" }
func (f *fake) Logf(string, ...any) {}
func (f *fake) Fatalf(format string, args ...any) {
	f.said = fmt.Sprintf(format, args...)
	panic(stopped{})
}

// fails runs f and returns what it failed with.
func fails(f func(T)) (said string) {
	t := &fake{}
	defer func() {
		if v := recover(); v != nil && v != (stopped{}) {
			panic(v)
		}
		said = t.said
	}()
	f(t)
	return ""
}

func service(b *sdk.Builder, uses ...effect.ID) effect.ID {
	return b.Service(effect.Service{ID: "service/x", Command: []string{"/bin/x"}, Uses: uses, Turn: &effect.Turn{Name: "restart"}})
}

func TestAModelRefusesWhatNoAgentCouldCarryOut(t *testing.T) {
	for name, tt := range map[string]struct {
		charm sample
		want  string
	}{
		"an effect that names another that is not there": {func(effect.Input) effect.Desired {
			var b sdk.Builder
			service(&b, "file/missing")
			return b.Done(sdk.Active(""))
		}, `it names "file/missing"`},
		"a task whose interruption nobody could judge": {func(effect.Input) effect.Desired {
			var b sdk.Builder
			b.Task(effect.Task{ID: "task/t", Run: effect.Exec{Command: []string{"/bin/do"}}})
			return b.Done(sdk.Active(""))
		}, "neither Yields nor Idempotent"},
		"a panic": {func(effect.Input) effect.Desired { panic("lost") }, "panic: lost"},
		"a bag that the other side could not read": {func(in effect.Input) effect.Desired {
			var b sdk.Builder
			r, _ := sdk.Relation(in, "database")
			b.PublishApplication(r.ID, map[string]string{"database": "x"})
			return b.Done(sdk.Active(""))
		}, `key "endpoints" is missing`},
		"a charm that takes back what it did": {func(in effect.Input) effect.Desired {
			var b sdk.Builder
			b.Probe(effect.Probe{ID: "up", TCP: "localhost:1"})
			up, _ := sdk.Fact[bool](in, "up")
			b.Service(effect.Service{ID: "service/x", Command: []string{"/bin/x"}, Health: "up", Stopped: up})
			return b.Done(sdk.Active(""))
		}, "flaps between two answers"},
		"a charm that never comes to rest": {func(in effect.Input) effect.Desired {
			var b sdk.Builder
			r, _ := sdk.PeerRelation(in)
			b.Publish(r.ID, map[string]string{"n": sdk.Published(in, r.ID).Unit["n"] + "x"})
			return b.Done(sdk.Active(""))
		}, "not settled after"},
	} {
		t.Run(name, func(t *testing.T) {
			said := fails(func(t T) {
				New(t, of(tt.charm), Scenario{Remotes: []Remote{{Endpoint: "database", Application: "app"}}}).Settle()
			})
			if !strings.Contains(said, tt.want) {
				t.Fatalf("failed with %q, wanted %q", said, tt.want)
			}
		})
	}
}

func TestUnitsRestartOneAtATimeTheLowestRankFirst(t *testing.T) {
	charm := func(in effect.Input) effect.Desired {
		var b sdk.Builder
		conf := b.File(effect.File{Path: in.Host.Config + "/x.conf", Content: sdk.Text(sdk.Int(in, "size"))})
		rank := 1
		if in.Spec.Unit.Number == 0 {
			rank = 2
		}
		b.Service(effect.Service{ID: "service/x", Command: []string{"/bin/x"}, RestartOn: []effect.ID{conf}, Turn: &effect.Turn{Name: "restart", Rank: rank}})
		return b.Done(sdk.Active(""))
	}
	var order []string
	b := of(charm)
	m := New(t, sdk.Builtin{Name: b.Name, Files: b.Files, Charm: &recording{sample: charm, order: &order}}, Scenario{Units: 3})
	m.Settle()
	order = nil
	m.Configure(map[string]any{"size": int64(2)})
	m.Settle()
	if got := strings.Join(order, " "); got != "sample/1 sample/2 sample/0" {
		t.Fatalf("restarted in the order %s", got)
	}
}

// recording is a charm whose twin notes who starts.
type recording struct {
	sample
	noTwin
	order *[]string
}

func (r *recording) Step(w sdk.World, e sdk.Event) (sdk.World, sdk.Outcome) {
	if s, ok := e.(sdk.ServiceStarted); ok {
		*r.order = append(*r.order, s.Unit.String())
	}
	return w, sdk.Outcome{}
}

func TestAHeldUnitStaysUntilItIsLetGo(t *testing.T) {
	hold := true
	m := New(t, of(func(in effect.Input) effect.Desired {
		var b sdk.Builder
		service(&b)
		for _, p := range sdk.Peers(in) {
			if p.Life == model.Dying && hold {
				b.Hold(p.Unit, "its data are moved")
			}
		}
		return b.Done(sdk.Active(""))
	}), Scenario{Units: 2})
	m.Settle()
	m.RemoveUnit(1)
	m.Settle()
	if len(m.Units()) != 2 || !m.Unit(1).Running("service/x") {
		t.Fatal("a held unit left")
	}
	hold = false
	m.Settle()
	if len(m.Units()) != 1 {
		t.Fatal("a unit that nobody holds stays")
	}
}

func TestARecordIsWrittenOnceAndByTheLeader(t *testing.T) {
	m := New(t, of(func(in effect.Input) effect.Desired {
		var b sdk.Builder
		b.Record(effect.ApplicationScope, "founder", in.Spec.Unit.String())
		return b.Done(sdk.Active(""))
	}), Scenario{Units: 3})
	m.Lead(2)
	m.Settle()
	m.Lead(1)
	m.Settle()
	if got := m.Record(effect.ApplicationScope, "founder"); got != "sample/2" {
		t.Fatalf("founder %q", got)
	}
}

// careless is a charm that harms when it does not know: it takes an unknown
// fact for false.
func careless(in effect.Input) effect.Desired {
	var b sdk.Builder
	b.Probe(effect.Probe{ID: "role", TCP: "localhost:1"})
	role, _ := sdk.Fact[string](in, "role")
	if role == "primary" {
		service(&b)
	}
	return b.Done(sdk.Active(""))
}

func TestIgnoranceThatHarmsIsFound(t *testing.T) {
	all := moments(t, of(careless), Scenario{Facts: map[effect.ProbeID]string{"role": "primary"}})
	last := all[len(all)-1]
	less := last.input
	less.Facts = nil
	var harm string
	for _, s := range effect.Diff(last.journal, last.seen, careless(less)).Steps {
		harm += harms(last, s)
	}
	if !strings.Contains(harm, "disrupts") {
		t.Fatalf("stopping a service out of ignorance counts as %q", harm)
	}
}

func TestASecondDeedIsFound(t *testing.T) {
	m := New(t, of(nil), Scenario{Units: 2})
	found := effect.Step{Kind: effect.Run, ID: "task/found", Effect: effect.Effect{Task: &effect.Task{ID: "task/found", Key: "1", Scope: effect.ApplicationScope}}}
	m.Unit(0).done, m.Unit(1).done = []effect.Step{found}, []effect.Step{found}
	if err := m.deeds(); err == nil || !strings.Contains(err.Error(), "sample/1 does task/found key 1, which sample/0 did before") {
		t.Fatalf("two units founded: %v", err)
	}
	m.Unit(1).done = nil
	if err := m.deeds(); err != nil {
		t.Fatalf("one unit founded: %v", err)
	}
}

func TestLintNamesWhatIsWrong(t *testing.T) {
	active := func(effect.Input) effect.Desired { return effect.Desired{Status: sdk.Active("")} }
	calls := 0
	for name, tt := range map[string]struct {
		builtin sdk.Builtin
		want    string // "" for a charm that is well
	}{
		"a charm that is well":          {of(active), ""},
		"another name":                  {sdk.Builtin{Name: "other", Files: files(metadata), Charm: sample(active)}, `names it "sample"`},
		"actions without code":          {sdk.Builtin{Name: "sample", Files: files(metadata + "actions:\n  go:\n    description: x\n    kind: query\n"), Charm: sample(active)}, "no RunAction"},
		"metadata that do not parse":    {sdk.Builtin{Name: "sample", Files: files("name: sample\nsumary: x\n"), Charm: sample(active)}, "sumary"},
		"an option that says not why":   {sdk.Builtin{Name: "sample", Files: files("name: sample\nsummary: x\nconfig:\n  options:\n    a: {type: int}\n"), Charm: sample(active)}, "option a has no description"},
		"an answer that is never equal": {of(func(effect.Input) effect.Desired { calls++; return effect.Desired{Version: fmt.Sprint(calls)} }), "answers differently"},
	} {
		t.Run(name, func(t *testing.T) {
			err := Lint(tt.builtin)
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Fatalf("got %v, wanted %q", err, tt.want)
			}
		})
	}
}
