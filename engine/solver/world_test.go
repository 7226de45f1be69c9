package solver

import (
	"bytes"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/charm"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

const testModel = model.ModelName("m")

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// failer is what *testing.T and *rapid.T have in common.
type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

// world is a small controller with agents that do at once what they are told.
type world struct {
	t        failer
	s        state.State
	seen     *Observed
	dirty    Dirty
	changed  []state.Key                            // by the last command; nil where it was refused
	log      []state.Command                        // everything that was applied
	late     func(u model.UnitName, round int) bool // whose agent does not get to it in a round
	rounds   int
	dead     map[state.MachineRef]bool                   // machines whose agents do nothing
	reaction func(effect.Intent, *effect.Report)         // what a unit does beside settling
	watch    func(before, after state.State, solve bool) // sees every step
}

func newWorld(t failer) *world {
	w := &world{t: t, s: state.Empty(), seen: NewObserved(epoch), dead: map[state.MachineRef]bool{}}
	w.do(state.AddModel{Model: testModel, UUID: "0123"})
	for _, c := range testCharms() {
		w.do(state.AddCharm{Model: testModel, Hash: "h1", Declared: c}, state.AddCharm{Model: testModel, Hash: "h2", Declared: c})
	}
	return w
}

func endpoint(name, iface string, role model.Role, scope model.Scope, limit int) model.Endpoint {
	return model.Endpoint{Name: model.EndpointName(name), Interface: model.InterfaceName(iface), Role: role, Scope: scope, Limit: limit}
}

// testCharms are a database with peers, an application that uses it, and two
// subordinates of which one is a proxy to the database.
func testCharms() []charm.Charm {
	one := charm.IntValue(1)
	config := charm.Config{Options: []charm.Option{{Name: "level", Type: charm.IntOption, Default: &one}}}
	return []charm.Charm{
		{Meta: charm.Meta{Name: "db", Endpoints: []model.Endpoint{
			endpoint("db", "sql", model.Provides, "", 0), endpoint("members", "db_peers", model.Peer, "", 0), charm.JujuInfo,
		}}, Config: config, Packages: []string{"db-server"}, Orders: []charm.Order{{Name: "restore", Stages: []string{"stop", "wipe", "start"}, PointOfNoReturn: "wipe"}}},
		{Meta: charm.Meta{Name: "app", Endpoints: []model.Endpoint{
			endpoint("store", "sql", model.Requires, "", 1), endpoint("web", "http", model.Provides, "", 0), charm.JujuInfo,
		}}, Config: config, Packages: []string{"app"}},
		{Meta: charm.Meta{Name: "proxy", Subordinate: true, Endpoints: []model.Endpoint{
			endpoint("backend", "sql", model.Requires, "", 1), endpoint("client", "sql", model.Provides, model.ContainerScope, 0), charm.JujuInfo,
		}}, Packages: []string{"proxy"}},
		{Meta: charm.Meta{Name: "logger", Subordinate: true, Endpoints: []model.Endpoint{
			endpoint("info", "juju-info", model.Requires, model.ContainerScope, 0), charm.JujuInfo,
		}}, Packages: []string{"logger"}},
	}
}

// apply applies one command, and tells who watches.
func (w *world) apply(c state.Command) (state.Result, error) {
	before := w.s
	c.Version, c.Now = state.FormatVersion, w.seen.Now
	next, result, err := w.s.Apply(c)
	w.s = next
	if w.changed = result.Changed; err == nil && w.changed == nil {
		w.changed = []state.Key{}
	}
	w.log = append(w.log, c)
	w.dirty.Merge(DirtyOf(w.s, result.Changed))
	if w.watch != nil {
		w.watch(before, w.s, c.Origin == state.Solver)
	}
	return result, err
}

// try is an operator's change that may be refused.
func (w *world) try(ops ...state.Op) error {
	_, err := w.apply(state.Command{Origin: state.Operator, Author: "admin", Ops: ops})
	return err
}

// do is an operator's change that must not be refused.
func (w *world) do(ops ...state.Op) {
	w.t.Helper()
	if err := w.try(ops...); err != nil {
		w.t.Fatalf("%v", err)
	}
}

func (w *world) says(ops ...state.Op) error {
	_, err := w.apply(state.Command{Origin: state.Agents, Author: "agent", Ops: ops})
	return err
}

func (w *world) deploy(name, charm string, units int, to ...state.Placement) {
	w.t.Helper()
	w.do(state.AddApplication{Model: testModel, Name: model.ApplicationName(name), Charm: model.CharmName(charm), Hash: "h1", Units: units, To: to})
}

func (w *world) relate(a, b string) error {
	refA, err := model.ParseEndpointRef(a)
	if err != nil {
		return err
	}
	refB, err := model.ParseEndpointRef(b)
	if err != nil {
		return err
	}
	if refA, refB, err = MatchIn(w.s, testModel, refA, refB); err != nil {
		return err
	}
	return w.try(state.AddRelation{Model: testModel, A: refA, B: refB})
}

// solve solves what is dirty, once. Commands are applied as the solver made
// them; a conflict is solved again.
func (w *world) solve() bool {
	dirty := w.dirty
	w.dirty = Dirty{}
	commands, _ := Solve(w.s, dirty, w.seen)
	for _, c := range commands {
		if _, err := w.apply(c); err != nil {
			w.dirty.Merge(dirty)
		}
	}
	return len(commands) > 0
}

// round solves, lets machines join and go, and lets every agent report.
func (w *world) round() (busy bool) {
	w.rounds++
	busy = w.solve()
	for _, m := range w.s.Machines(testModel) {
		if w.dead[m.Ref()] {
			continue
		}
		switch {
		case m.Life == model.Dead:
			busy = true
			if err := w.says(state.MachineGone{Model: testModel, Machine: m.Name}); err != nil {
				w.t.Fatalf("%v", err)
			}
			continue
		case m.State == state.MachineRequested:
			busy = true
			if err := w.says(state.MachineJoined{Model: testModel, Machine: m.Name, Address: "10.0.0." + string(m.Name)}); err != nil {
				w.t.Fatalf("%v", err)
			}
		}
		w.seen.Heard[m.Ref()] = w.seen.Now
	}
	for _, u := range w.s.ModelUnits(testModel) {
		busy = w.report(u) || busy
	}
	w.seen.Forget(w.s)
	return busy
}

// report has a unit's agent carry out the unit's intent and say so.
func (w *world) report(u state.Unit) bool {
	ref := u.Ref()
	m, ok := w.s.Machine(state.MachineRef{Model: u.Model, Machine: u.Machine})
	intent, wanted := IntentOf(w.s, ref)
	if !ok || !wanted || m.State != state.MachineReady || w.dead[m.Ref()] {
		return false
	}
	r := effect.Report{
		Unit: u.Name, Generation: intent.Generation, Hash: intent.Hash, Serial: intent.Live.Serial,
		Settled: true, Answered: true, Status: model.Status{Level: model.Active},
		TornDown: intent.Spec.Life == model.Dead,
	}
	if w.late != nil && w.late(u.Name, w.rounds) && w.seen.Reports[ref].Serial+w.seen.Reports[ref].Generation != r.Serial+r.Generation {
		return true
	}
	if w.reaction != nil {
		w.reaction(intent, &r)
	}
	old := w.seen.Reports[ref]
	if reflect.DeepEqual(old, r) {
		return false
	}
	w.dirty.Merge(w.seen.Take(testModel, r))
	return true
}

// settle goes on until nothing happens any more.
func (w *world) settle() {
	w.t.Helper()
	for range 200 {
		if !w.round() {
			through := w.s.Disturbed()
			if _, err := w.apply(state.Command{Origin: state.Solver, Ops: []state.Op{state.MarkSolved{Through: through}}}); err != nil {
				w.t.Fatalf("%v", err)
			}
			return
		}
	}
	commands, blocked := Solve(w.s, Everything(), w.seen)
	w.t.Fatalf("no rest after 200 rounds; next %+v; blocked %+v", commands, blocked)
}

// pass lets time go by, agents of living machines being heard.
func (w *world) pass(d time.Duration) {
	w.seen.Now = w.seen.Now.Add(d)
	for _, m := range w.s.Machines(testModel) {
		if !w.dead[m.Ref()] {
			w.seen.Heard[m.Ref()] = w.seen.Now
		}
		w.dirty.Machine(w.s, m.Ref())
	}
}

func (w *world) unit(name string) state.Unit {
	w.t.Helper()
	ref := unitRef(w.t, name)
	u, ok := w.s.Unit(ref)
	if !ok {
		w.t.Fatalf("unit %s does not exist", name)
	}
	return u
}

func unitRef(t failer, name string) state.UnitRef {
	u, err := model.ParseUnitName(name)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return state.UnitRef{Model: testModel, Unit: u}
}

func unitNames(units []state.Unit) []string {
	var names []string
	for _, u := range units {
		names = append(names, u.Name.String())
	}
	return names
}

func app(name string) state.ApplicationRef {
	return state.ApplicationRef{Model: testModel, Application: model.ApplicationName(name)}
}

func encoded(t failer, s state.State) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := s.Encode(&b); err != nil {
		t.Fatalf("%v", err)
	}
	return b.Bytes()
}

// layout is what a solved model looks like, without numbers of machines.
func layout(s state.State) map[string]string {
	got := map[string]string{}
	for _, u := range s.ModelUnits(testModel) {
		var beside []string
		for _, v := range s.UnitsOn(state.MachineRef{Model: testModel, Machine: u.Machine}) {
			if v.Name != u.Name {
				beside = append(beside, string(v.Name.Application))
			}
		}
		slices.Sort(beside)
		got[u.Name.String()] = fmt.Sprintf("%v placed=%v beside=%v of=%v", u.Life, u.Machine != "", beside, u.Principal.Application)
	}
	return maps.Clone(got)
}

func TestADeployedBundleConverges(t *testing.T) {
	w := newWorld(t)
	w.deploy("pg", "db", 3)
	w.deploy("tm", "app", 2)
	w.deploy("px", "proxy", 0)
	for _, pair := range [][2]string{{"px:backend", "pg"}, {"tm", "px"}} {
		if err := w.relate(pair[0], pair[1]); err != nil {
			t.Fatal(err)
		}
	}
	w.settle()
	if ok, waits := Converged(w.s, testModel, w.seen, w.s.Revision()); !ok {
		t.Fatalf("not converged: %+v", waits)
	}
	want := []string{"pg/0", "pg/1", "pg/2", "px/0", "px/1", "tm/0", "tm/1"}
	if got := unitNames(w.s.ModelUnits(testModel)); !slices.Equal(got, want) {
		t.Errorf("units %v, want %v", got, want)
	}
	if n := len(w.s.Machines(testModel)); n != 5 {
		t.Errorf("%d machines, want one for each principal unit", n)
	}
	if l, ok := w.s.Lease(app("pg")); !ok || l.Holder.String() != "pg/0" {
		t.Errorf("leader %v, want pg/0", l.Holder)
	}
	m, _ := w.s.Machine(state.MachineRef{Model: testModel, Machine: w.unit("tm/0").Machine})
	if want := []string{"app", "proxy"}; !slices.Equal(m.Packages, want) {
		t.Errorf("packages of tm/0's machine are %v, want %v", m.Packages, want)
	}
}

func TestAMachineWhoseSessionEndedIsNotSettledUntilItIsHeard(t *testing.T) {
	w := newWorld(t)
	w.deploy("pg", "db", 1)
	w.settle()
	converged := func() bool {
		ok, _ := Converged(w.s, testModel, w.seen, w.s.Revision())
		return ok
	}
	machine := state.MachineRef{Model: testModel, Machine: w.unit("pg/0").Machine}
	w.seen.Ended[machine] = w.seen.Now
	if _, waits := Converged(w.s, testModel, w.seen, w.s.Revision()); len(waits) != 1 || waits[0].Subject != "pg/0" || waits[0].Blocked {
		t.Errorf("right after its session ended it waits for %+v", waits)
	}
	if w.seen.Silent(machine) {
		t.Error("it counts as silent at once")
	}
	w.pass(time.Second)
	if !converged() {
		t.Error("not converged though it was heard again")
	}
}

func TestAMachineOfALaterMemberHasTheVersionsOfTheFirst(t *testing.T) {
	w := newWorld(t)
	w.deploy("pg", "db", 1)
	w.settle()
	w.do(state.Publish{Model: testModel, Publication: effect.Publication{
		Unit: unitRef(t, "pg/0").Unit, Versions: map[string]string{"db-server": "15.1-2", "not-declared": "1"},
	}})
	w.do(state.AddUnits{Model: testModel, Application: "pg", Count: 1})
	w.settle()
	for name, want := range map[string]string{"pg/0": "db-server", "pg/1": "db-server=15.1-2"} {
		m, _ := w.s.Machine(state.MachineRef{Model: testModel, Machine: w.unit(name).Machine})
		if !slices.Equal(m.Packages, []string{want}) {
			t.Errorf("packages of %s's machine are %v, want %s", name, m.Packages, want)
		}
	}
}

func TestADestroyedModelLeavesNothing(t *testing.T) {
	w := newWorld(t)
	before := len(w.s.Models())
	w.deploy("pg", "db", 3)
	w.deploy("tm", "app", 2)
	w.deploy("px", "proxy", 0)
	for _, pair := range [][2]string{{"px:backend", "pg"}, {"tm", "px"}} {
		if err := w.relate(pair[0], pair[1]); err != nil {
			t.Fatal(err)
		}
	}
	w.settle()
	w.do(state.DestroyModel{Model: testModel})
	w.settle()
	if got := len(w.s.Models()); got != before-1 {
		_, blocked := Solve(w.s, Everything(), w.seen)
		t.Fatalf("the model is still there: %+v; %v", blocked, layout(w.s))
	}
}
