package kafka

import (
	"slices"
	"strings"
	"testing"

	"github.com/gantry-orchestrator/gantry/charms/interfaces"
	"github.com/gantry-orchestrator/gantry/charms/sdk/sdktest"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/charm"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

func deployed(t *testing.T, s sdktest.Scenario) *sdktest.Model {
	t.Helper()
	m := sdktest.New(t, builtin, s)
	m.Settle()
	return m
}

func ran(u *sdktest.Unit, task effect.ID) bool {
	return slices.ContainsFunc(u.Done(), func(s effect.Step) bool { return s.ID == task && s.Kind == effect.Run })
}

// formatted is how a unit prepared its directories.
func formatted(u *sdktest.Unit) string {
	for _, task := range u.Desired().Tasks {
		if task.ID == formatID {
			return strings.Join(task.Run.Command, " ")
		}
	}
	return ""
}

func TestOneControllerFoundsAndTheOthersVoteOnceTheyFollow(t *testing.T) {
	m := deployed(t, sdktest.Scenario{Units: 3})
	founders := 0
	for _, u := range m.Units() {
		switch {
		case strings.Contains(formatted(u), "--standalone"):
			founders++
			if ran(u, "task/vote") {
				t.Errorf("%s founds and is made a voter", u.Name())
			}
		case !strings.Contains(formatted(u), "--no-initial-controllers"):
			t.Errorf("%s is formatted by %s", u.Name(), formatted(u))
		case !ran(u, "task/vote"):
			t.Errorf("%s has no vote", u.Name())
		}
		if u.Status().Level != model.Active {
			t.Errorf("%s is %v", u.Name(), u.Status())
		}
	}
	if founders != 1 {
		t.Errorf("%d units found the cluster", founders)
	}
}

func TestTheActiveControllerRestartsLast(t *testing.T) {
	m := deployed(t, sdktest.Scenario{Units: 3})
	ranks := map[int]int{}
	for _, u := range m.Units() {
		u.Forget()
		for _, s := range u.Desired().Services {
			ranks[s.Turn.Rank]++
		}
	}
	if ranks[0] != 2 || ranks[1] != 1 {
		t.Errorf("ranks of restarts: %v", ranks)
	}
	m.Configure(map[string]any{"version": "4.0"})
	m.Settle()
	for _, u := range m.Units() {
		if !slices.ContainsFunc(u.Done(), func(s effect.Step) bool { return s.Kind == effect.Restart }) {
			t.Errorf("%s was not restarted", u.Name())
		}
	}
}

func TestANodeMoreRestartsNoOther(t *testing.T) {
	m := deployed(t, sdktest.Scenario{Units: 3})
	for _, u := range m.Units() {
		u.Forget()
	}
	m.AddUnit()
	m.Settle()
	for _, u := range m.Units()[:3] {
		if slices.ContainsFunc(u.Done(), func(s effect.Step) bool { return s.Kind == effect.Restart || s.Kind == effect.Stop }) {
			t.Errorf("%s was restarted", u.Name())
		}
	}
	if late := m.Unit(3); !ran(late, "task/vote") || late.Status().Level != model.Active {
		t.Errorf("the new node is %v", late.Status())
	}
}

func TestANodeLeavesOnlyAfterItHasHandedOverAndStopped(t *testing.T) {
	m := deployed(t, sdktest.Scenario{Units: 4})
	gone := m.Unit(3)
	gone.Forget()
	m.RemoveUnit(3)
	m.Settle()
	at := func(id effect.ID, kind effect.StepKind) int {
		return slices.IndexFunc(gone.Done(), func(s effect.Step) bool { return s.ID == id && s.Kind == kind })
	}
	left, stopped, forgotten := at("task/leave", effect.Run), at(serviceID, effect.Stop), at("task/unregister", effect.Run)
	if left < 0 || stopped < left || forgotten < stopped {
		t.Errorf("it left at step %d, stopped at %d and was forgotten at %d", left, stopped, forgotten)
	}
}

// began is a node that has served, of a cluster with another node.
func began(t *testing.T, facts map[effect.ProbeID]effect.Fact) effect.Input {
	t.Helper()
	meta, err := charm.Read("kafka", Files)
	if err != nil {
		t.Fatal(err)
	}
	config := map[string]any{}
	for name, value := range meta.Config.Defaults() {
		config[name] = value.Any()
	}
	self := model.UnitName{Application: "kafka"}
	return effect.Input{Facts: facts, Spec: effect.Spec{
		Unit: self, Planned: 2, Address: "10.0.0.1", Life: model.Alive, ApplicationLife: model.Alive, Config: config,
		Records: []effect.Record{
			{Name: foundingRecord, Scope: effect.ApplicationScope, Value: `{"id":"AAAAAAAAAAAAAAAAAAAAAQ","founder":"kafka/0","address":"10.0.0.1"}`},
			{Name: begunRecord, Scope: effect.UnitScope, Value: "0"},
		},
		Secrets: []effect.Secret{{ID: "secret:1", Name: memberSecret, Owner: "kafka"}},
		Relations: []effect.Relation{{ID: 1, Role: model.Peer, Units: []effect.Remote{
			{Unit: model.UnitName{Application: "kafka", Number: 1}, Life: model.Alive, Address: "10.0.0.2", Bag: map[string]string{"node": "1"}},
		}}},
	}}
}

func TestANodeWhoseDataIsLostIsNotStartedAndSaysWhatToDo(t *testing.T) {
	want := Charm{}.Reconcile(began(t, map[effect.ProbeID]effect.Fact{
		effect.ProbeID(effect.VolumeFact + string(volumeID)): {Value: effect.VolumeEmpty},
	}))
	if len(want.Services) != 1 || !want.Services[0].Stopped {
		t.Error("Kafka is started on no data")
	}
	if want.Status.Level != model.Blocked || !strings.Contains(want.Status.Message, "remove-unit") {
		t.Errorf("the status says %v", want.Status)
	}
}

func TestANodeThatHasLeftIsHeldUntilTheOthersForgetItsBroker(t *testing.T) {
	in := began(t, map[effect.ProbeID]effect.Fact{tracesProbe: {Value: `{"voter":false,"held":0,"registered":true}`}, openProbe: {Value: "true"}})
	in.Spec.Life = model.Dying
	in.Spec.Records = append(in.Spec.Records, effect.Record{Name: leftRecord, Scope: effect.UnitScope, Value: "yes"})
	forgets := func(d effect.Desired) bool {
		return slices.ContainsFunc(d.Tasks, func(t effect.Task) bool { return t.ID == "task/unregister" })
	}
	if want := (Charm{}).Reconcile(in); len(want.Holds) != 1 || !want.Services[0].Stopped || forgets(want) {
		t.Errorf("while it still answers: holds %v, stopped %v, forgotten %v", want.Holds, want.Services[0].Stopped, forgets(want))
	}
	in.Facts[openProbe] = effect.Fact{Value: "false"}
	if want := (Charm{}).Reconcile(in); len(want.Holds) != 1 || !forgets(want) {
		t.Errorf("once it has stopped: holds %v, forgotten %v", want.Holds, forgets(want))
	}
	in.Facts[tracesProbe] = effect.Fact{Value: `{"voter":false,"held":0,"registered":false}`}
	if want := (Charm{}).Reconcile(in); len(want.Holds) != 0 {
		t.Errorf("forgotten it is held: %v", want.Holds)
	}
}

func TestAClientIsGivenATopicAUserAndTheBrokers(t *testing.T) {
	m := deployed(t, sdktest.Scenario{Units: 3, Remotes: []sdktest.Remote{
		{Endpoint: "kafka-client", Application: "app", Bag: map[string]string{"topic": "telemetry", "extra-user-roles": "consumer"}},
	}})
	topic, ready := interfaces.ParseKafkaTopic(m.ApplicationBag("kafka-client"))
	if !ready || topic.Topic != "telemetry" || len(topic.Endpoints) != 3 || topic.User == "" || topic.TLS != "" || topic.GroupPrefix == "" {
		t.Errorf("it is given %+v", topic)
	}
}

// controllers is another application's, as brokers are told of it.
func controllers() sdktest.Remote {
	const id = "secret:00000000000000000000000000000001"
	return sdktest.Remote{
		Endpoint: "peer-cluster", Application: "controllers",
		Bag: map[string]string{
			"cluster-id": "AAAAAAAAAAAAAAAAAAAAAQ", "tls": "false", "secret-member": id, "controllers": "10.0.1.1:9098,10.0.1.2:9098,10.0.1.3:9098",
		},
		Secrets: []effect.Secret{{ID: id, Name: memberSecret, Revision: 1, Fields: []string{"password"}}},
	}
}

func TestBrokersApartFollowTheirControllers(t *testing.T) {
	m := deployed(t, sdktest.Scenario{Units: 3, Config: map[string]any{"roles": "broker"}, Remotes: []sdktest.Remote{controllers()}})
	for _, u := range m.Units() {
		if strings.Contains(formatted(u), "--standalone") || ran(u, "task/vote") || u.Status().Level != model.Active {
			t.Errorf("%s: %v, %s", u.Name(), u.Status(), formatted(u))
		}
	}
	m = deployed(t, sdktest.Scenario{Units: 1, Config: map[string]any{"roles": "broker"}})
	if s := m.Unit(0).Status(); s.Level != model.Waiting || !strings.Contains(s.Message, "gantry integrate") {
		t.Errorf("without controllers it is %v", s)
	}
}

func TestControllersApartTellBrokersOfTheCluster(t *testing.T) {
	m := deployed(t, sdktest.Scenario{Units: 3, Config: map[string]any{"roles": "controller"}, Remotes: []sdktest.Remote{
		{Endpoint: "peer-cluster-orchestrator", Application: "kafka"},
	}})
	bag := m.ApplicationBag("peer-cluster-orchestrator")
	if bag["cluster-id"] == "" || strings.Count(bag["controllers"], ":9098") != 3 || bag["secret-member"] == "" {
		t.Errorf("brokers are told %v", bag)
	}
}

func TestSettingsThatKafkaCannotRunWithAreRefused(t *testing.T) {
	for option, value := range map[string]any{
		"roles": "brokers", "version": "3.9", "profile": "small", "heap_mb": int64(64), "compression-type": "rar",
		"log-cleanup-policy": "keep", "num-partitions": int64(0), "message-max-bytes": int64(1), "tls": "on", "archive-url": "https://example.org/kafka.tgz",
	} {
		t.Run(option, func(t *testing.T) {
			m := deployed(t, sdktest.Scenario{Units: 1, Config: map[string]any{option: value}})
			if s := m.Unit(0).Status(); s.Level != model.Blocked || !strings.Contains(s.Message, strings.TrimSuffix(option, "-url")) {
				t.Errorf("the status says %v", s)
			}
		})
	}
}

func TestThePlanOfThreeNodes(t *testing.T) {
	deployed(t, sdktest.Scenario{Units: 3}).Golden("three")
}
