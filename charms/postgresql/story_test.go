package postgresql

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gantry-orchestrator/gantry/charms/sdk"
	"github.com/gantry-orchestrator/gantry/charms/sdk/sdktest"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// deployed is an application that has settled, in the testing profile.
func deployed(t *testing.T, units int, config map[string]any, remotes ...sdktest.Remote) *sdktest.Model {
	t.Helper()
	all := map[string]any{"profile": "testing"}
	for k, v := range config {
		all[k] = v
	}
	m := sdktest.New(t, builtin, sdktest.Scenario{Units: units, Config: all, Remotes: remotes})
	m.Settle()
	return m
}

// wrote is the last text that a unit's file was given, secrets by ID and field.
func wrote(t *testing.T, u *sdktest.Unit, name string) string {
	t.Helper()
	for _, f := range u.Desired().Files {
		if strings.HasSuffix(f.Path, "/"+name) {
			var b strings.Builder
			for _, s := range f.Content {
				b.WriteString(s.Text)
				if s.Secret != nil {
					b.WriteString("<" + s.Secret.ID + " " + s.Secret.Field + ">")
				}
			}
			return b.String()
		}
	}
	t.Fatalf("%s wants no file %s", u.Name(), name)
	return ""
}

func ran(u *sdktest.Unit, task effect.ID) bool {
	return slices.ContainsFunc(u.Done(), func(s effect.Step) bool { return s.ID == task && s.Kind == effect.Run })
}

func TestFoundersNeedNoTurnAndOneOfThemMakesTheCluster(t *testing.T) {
	m := deployed(t, 3, nil)
	var makers []string
	for _, u := range m.Units() {
		if ran(u, "task/join") {
			t.Errorf("%s joined by a turn", u.Name())
		}
		text := wrote(t, u, "patroni.yml")
		if strings.Contains(text, "bootstrap:") {
			makers = append(makers, u.Name().String())
		}
		if strings.Count(text, ":2222\"") != 2+2 { // itself twice, and the others
			t.Errorf("%s does not name both others as partners:\n%s", u.Name(), text)
		}
	}
	if len(makers) != 1 {
		t.Errorf("the cluster can be made by %v", makers)
	}
	m.AddUnit()
	m.Settle()
	if !ran(m.Unit(3), "task/join") {
		t.Error("who came later did not join by a turn")
	}
}

func TestALeaderWaitsForMachinesAndNotForever(t *testing.T) {
	began := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	in := effect.Input{
		Spec: effect.Spec{
			Unit: model.UnitName{Application: "postgresql"}, Planned: 3, Address: "10.0.0.1", Life: model.Alive, ApplicationLife: model.Alive,
			Config: map[string]any{"profile": "testing", "synchronous_node_count": "1", "ttl": int64(20), "loop_wait": int64(5), "dcs": "auto", "tls": "auto", "max_connections": int64(100)},
			Relations: []effect.Relation{{ID: 1, Role: model.Peer, Units: []effect.Remote{
				{Unit: model.UnitName{Application: "postgresql", Number: 1}, Life: model.Alive, Address: "10.0.0.2"},
				{Unit: model.UnitName{Application: "postgresql", Number: 2}, Life: model.Alive},
			}}},
		},
		Live: effect.Live{Leader: true}, Now: began,
	}
	want := Charm{}.Reconcile(in)
	if len(want.Records) != 1 || want.Records[0].Name != foundingSince {
		t.Fatalf("with a machine missing it proposes %v", want.Records)
	}
	in.Spec.Records = want.Records
	if want = (Charm{}).Reconcile(in); len(want.Records) != 0 || !want.Revisit.Equal(began.Add(foundingPatience)) {
		t.Fatalf("it proposes %v and comes back at %v", want.Records, want.Revisit)
	}
	in.Now = want.Revisit
	if want = (Charm{}).Reconcile(in); len(want.Records) != 1 || want.Records[0].Name != "epoch/1" {
		t.Fatalf("after its patience it proposes %v", want.Records)
	}
	if strings.Contains(want.Records[0].Value, "with") {
		t.Errorf("a pair bears no loss, so one founds alone: %s", want.Records[0].Value)
	}
}

func TestAFounderThatLeavesStaysUntilAnotherServes(t *testing.T) {
	founder := model.UnitName{Application: "postgresql", Number: 1}
	e := epoch{Number: 1, Founder: model.UnitName{Application: "postgresql"}, With: []model.UnitName{founder}}
	peer := effect.Remote{Unit: e.Founder, Life: model.Alive, Address: "10.0.0.1"}
	m := member{b: &sdk.Builder{}, epoch: e, in: effect.Input{Spec: effect.Spec{
		Unit: founder, Life: model.Dying, ApplicationLife: model.Alive,
		Relations: []effect.Relation{{ID: 1, Role: model.Peer, Units: []effect.Remote{peer}}},
	}}}
	if holds := m.b.Done(m.depart()).Holds; len(holds) != 1 {
		t.Errorf("it holds itself by %v", holds)
	}
}

func TestARoleIsDroppedUnlessTheWholeClusterGoes(t *testing.T) {
	for life, want := range map[model.Life]int{model.Alive: 1, model.Dying: 0} {
		m := member{
			b: &sdk.Builder{}, known: true, observed: patroniStatus{State: "running", Role: "primary"},
			in: effect.Input{
				Spec: effect.Spec{
					Unit: model.UnitName{Application: "postgresql"}, Life: life, ApplicationLife: life, Address: "10.0.0.1",
					Relations: []effect.Relation{{
						ID: 4, Endpoint: "database", Role: model.Provides, Life: model.Dying, Remote: "telemetry", Bag: map[string]string{"database": "telemetry"},
					}},
				},
				Live: effect.Live{Leader: true},
			},
		}
		m.databases()
		if d := m.b.Done(sdk.Active("")); len(d.Tasks) != want || life != model.Alive && len(d.Holds) != 0 {
			t.Errorf("while the application is %v: %d tasks, want %d; holds %v", life, len(d.Tasks), want, d.Holds)
		}
	}
}

func TestAChangedPasswordReachesTheServerBeforeAnybodyUsesIt(t *testing.T) {
	for _, user := range []string{"operator", "replication"} {
		t.Run(user, func(t *testing.T) {
			m := deployed(t, 3, nil)
			before := wrote(t, m.Unit(1), "patroni.yml")
			for _, u := range m.Units() {
				u.Forget()
			}
			m.Open("set-password", map[string]string{"username": user})
			m.Settle()
			changed := false
			for _, u := range m.Units() {
				changed = changed || ran(u, "task/passwords")
				if now := wrote(t, u, "patroni.yml"); now == before || !strings.Contains(now, "password>") {
					t.Errorf("%s uses the old password:\n%s", u.Name(), now)
				}
			}
			if !changed {
				t.Error("no server was told")
			}
			if m.Record(effect.ApplicationScope, "password/"+user+"/1") == "" {
				t.Error("the change is not recorded")
			}
		})
	}
}

func TestAClientsChangedPasswordIsAnotherSecretInItsRelation(t *testing.T) {
	m := deployed(t, 1, nil, sdktest.Remote{Endpoint: "database", Application: "app", Bag: map[string]string{"database": "app"}})
	before := m.ApplicationBag("database")["secret-user"]
	m.Open("set-password", map[string]string{"username": "relation-2"})
	m.Settle()
	if now := m.ApplicationBag("database")["secret-user"]; now == before || now == "" {
		t.Errorf("the client is given %q, before it was %q", now, before)
	}
}

func TestMetricsAreServedToWhoIsRelated(t *testing.T) {
	m := deployed(t, 3, nil, sdktest.Remote{Endpoint: "metrics-endpoint", Application: "prometheus"})
	for _, u := range m.Units() {
		if !u.Running(exporterService) {
			t.Errorf("%s runs no exporter", u.Name())
		}
	}
	bag := m.ApplicationBag("metrics-endpoint")
	for key, part := range map[string]string{"scrape_jobs": "*:9187", "alert_rules": "PostgreSQLManyPrimaries", "scrape_metadata": `"charm_name":"postgresql"`} {
		if !strings.Contains(bag[key], part) {
			t.Errorf("%s lacks %s: %s", key, part, bag[key])
		}
	}
	if deployed(t, 1, nil).Unit(0).Running(exporterService) {
		t.Error("an exporter runs for nobody")
	}
}

func TestWhoLeavesIsNoCandidateBeforeItStopsAndNoPrimaryStops(t *testing.T) {
	for name, c := range map[string]struct {
		role       string
		nofailover bool
		recorded   bool
		peer       model.Life
		tagged     bool // its configuration says that it is no candidate
		stands     bool // it records that it stands down
		stopped    bool
		hands      bool // it hands over
	}{
		"a standby tells first":                     {role: "replica", peer: model.Alive, tagged: true},
		"a standby that is known to be out":         {role: "replica", peer: model.Alive, nofailover: true, tagged: true, stands: true},
		"a standby that stood down":                 {role: "replica", peer: model.Alive, nofailover: true, recorded: true, tagged: true, stopped: true},
		"a primary":                                 {role: "master", peer: model.Alive, hands: true},
		"a standby that was promoted all the same":  {role: "master", peer: model.Alive, recorded: true, hands: true},
		"a standby where all leave":                 {role: "replica", peer: model.Dying, stands: true},
		"a standby that stood down where all leave": {role: "replica", peer: model.Dying, recorded: true, stopped: true},
	} {
		t.Run(name, func(t *testing.T) {
			e := epoch{Number: 1, Founder: model.UnitName{Application: "postgresql", Number: 8}}
			m := member{
				b: &sdk.Builder{}, epoch: e, known: true,
				observed: patroniStatus{State: "running", Role: c.role, NoFailover: c.nofailover},
				in: effect.Input{Spec: effect.Spec{
					Unit: model.UnitName{Application: "postgresql", Number: 9}, Life: model.Dying, ApplicationLife: model.Alive, Address: "10.0.0.9",
					Relations: []effect.Relation{{ID: 1, Role: model.Peer, Units: []effect.Remote{
						{Unit: model.UnitName{Application: "postgresql", Number: 7}, Life: c.peer, Address: "10.0.0.7", Bag: map[string]string{"member": "1"}},
						{Unit: e.Founder, Life: c.peer, Address: "10.0.0.8", Bag: map[string]string{"member": "1"}},
					}}},
				}},
			}
			if c.recorded {
				m.in.Spec.Records = []effect.Record{{Name: m.standDownRecord(), Scope: effect.UnitScope, Value: "yes"}}
			}
			if tagged := strings.Contains(m.tags(), "nofailover: true, nosync: true"); tagged != c.tagged {
				t.Errorf("tagged: %v, want %v", tagged, c.tagged)
			}
			if stopped := m.stopped(); stopped != c.stopped {
				t.Errorf("stopped: %v, want %v", stopped, c.stopped)
			}
			m.depart()
			d := m.b.Done(sdk.Active(""))
			if stands := len(d.Records) == 1; stands != c.stands {
				t.Errorf("stands down: %v, want %v", stands, c.stands)
			}
			hands := slices.ContainsFunc(d.Tasks, func(t effect.Task) bool { return t.ID == "task/hand-over" })
			if hands != c.hands {
				t.Errorf("hands over: %v, want %v", hands, c.hands)
			}
		})
	}
}

func TestARestoreWithoutABackupIsBlockedWithItsReason(t *testing.T) {
	for fact, want := range map[string]model.Level{
		"": model.Maintenance, "true": model.Active, "there is no backup of postgresql: run create-backup": model.Blocked,
	} {
		m := member{b: &sdk.Builder{}, in: effect.Input{
			Spec: effect.Spec{Unit: model.UnitName{Application: "postgresql"}},
			Live: effect.Live{Order: &effect.Order{ID: "4", Name: restoreOrder, Stage: stageVerify}},
		}}
		if fact != "" {
			m.in.Facts = map[effect.ProbeID]effect.Fact{backupProbe: {Value: fact}}
		}
		if s := m.restore(m.in.Live.Order); s.Level != want || want == model.Blocked && !strings.Contains(s.Message, fact) {
			t.Errorf("where the probe says %q: %v", fact, s)
		}
	}
}
