package etcd

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/gantry-orchestrator/gantry/charms/interfaces"
	"github.com/gantry-orchestrator/gantry/charms/sdk/sdktest"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

func deployed(t *testing.T, units int, remotes ...sdktest.Remote) *sdktest.Model {
	t.Helper()
	m := sdktest.New(t, builtin, sdktest.Scenario{Units: units, Remotes: remotes})
	m.Settle()
	return m
}

func ran(u *sdktest.Unit, task effect.ID) bool {
	return slices.ContainsFunc(u.Done(), func(s effect.Step) bool { return s.ID == task && s.Kind == effect.Run })
}

func command(u *sdktest.Unit) string {
	for _, s := range u.Desired().Services {
		return strings.Join(s.Command, " ")
	}
	return ""
}

func TestFoundersStartTogetherAndALaterMemberJoinsAsALearner(t *testing.T) {
	m := deployed(t, 3)
	for _, u := range m.Units() {
		if ran(u, "task/join-1") || !strings.Contains(command(u), "--initial-cluster-state=new") {
			t.Errorf("%s joined, though it founds", u.Name())
		}
	}
	m.AddUnit()
	m.Settle()
	late := m.Unit(3)
	if !ran(late, "task/join-1") || !ran(late, "task/promote-1") || !strings.Contains(command(late), "--initial-cluster-state=existing") {
		t.Errorf("who came later did not join and was promoted: %s", command(late))
	}
	if late.Status().Level != model.Active {
		t.Errorf("it is %v", late.Status())
	}
}

func TestOfAPairOneFoundsAlone(t *testing.T) {
	m := deployed(t, 2)
	if ran(m.Unit(0), "task/join-1") || !ran(m.Unit(1), "task/join-1") {
		t.Error("a pair was founded, which bears no loss")
	}
}

func TestTheLeaderRestartsLast(t *testing.T) {
	m := deployed(t, 3)
	for _, u := range m.Units() {
		u.Forget()
	}
	ranks := map[int]int{}
	for _, u := range m.Units() {
		for _, s := range u.Desired().Services {
			ranks[s.Turn.Rank]++
		}
	}
	if ranks[0] != 2 || ranks[1] != 1 {
		t.Errorf("ranks of restarts: %v", ranks)
	}
	m.Configure(map[string]any{"snapshot-count": int64(5000)})
	m.Settle()
	for _, u := range m.Units() {
		if !slices.ContainsFunc(u.Done(), func(s effect.Step) bool { return s.Kind == effect.Restart }) {
			t.Errorf("%s was not restarted", u.Name())
		}
	}
}

// begun is a member that has begun, of a cluster with another member.
func begun(facts map[effect.ProbeID]effect.Fact) effect.Input {
	peer := model.UnitName{Application: "etcd", Number: 1}
	config := map[string]any{
		"tls": "auto", "quota-backend-bytes": int64(1 << 31), "auto-compaction-retention": "1h", "heartbeat-interval": int64(100),
		"election-timeout": int64(1000), "snapshot-count": int64(100000),
	}
	return effect.Input{Facts: facts, Spec: effect.Spec{
		Unit: model.UnitName{Application: "etcd"}, Planned: 2, Address: "10.0.0.1", Life: model.Alive, ApplicationLife: model.Alive, Config: config,
		Records: []effect.Record{
			{Name: foundingRecord, Scope: effect.ApplicationScope, Value: `{"members":[{"unit":"etcd/0","address":"10.0.0.1"}]}`},
			{Name: "begun/1", Scope: effect.UnitScope, Value: "3e9"},
		},
		Secrets: []effect.Secret{{ID: "secret:1", Name: rootSecret, Owner: "etcd"}},
		Relations: []effect.Relation{{ID: 1, Role: model.Peer, Units: []effect.Remote{
			{Unit: peer, Life: model.Alive, Address: "10.0.0.2", Bag: map[string]string{"member": "1"}},
		}}},
	}}
}

func TestAMemberWhoseDataIsLostIsNotStartedAndSaysWhatToDo(t *testing.T) {
	volume := effect.ProbeID(effect.VolumeFact + string(volumeID))
	for name, facts := range map[string]map[effect.ProbeID]effect.Fact{
		"its disk is empty":               {volume: {Value: effect.VolumeEmpty}},
		"its program refuses to start it": {volume: {Value: effect.VolumeStamped + "etcd"}, refusedProbe: {Value: "lost"}},
	} {
		t.Run(name, func(t *testing.T) {
			want := Charm{}.Reconcile(begun(facts))
			if len(want.Services) != 1 || !want.Services[0].Stopped {
				t.Error("etcd is started on no data")
			}
			if want.Status.Level != model.Blocked || !strings.Contains(want.Status.Message, "replace-member") {
				t.Errorf("the status says %v", want.Status)
			}
			facts[listedProbe] = effect.Fact{Value: "false"}
			want = Charm{}.Reconcile(begun(facts))
			if !slices.Contains(want.Records, effect.Record{Name: "seat/2", Scope: effect.UnitScope, Value: "3e9"}) {
				t.Errorf("removed from the cluster it proposes %v", want.Records)
			}
		})
	}
}

func TestAClientIsGivenAUserAndTheMembers(t *testing.T) {
	m := deployed(t, 3, sdktest.Remote{Endpoint: "etcd-client", Application: "app", Bag: map[string]string{"prefix": "/app/"}})
	keys, ready := interfaces.ParseEtcdKeys(m.ApplicationBag("etcd-client"))
	if !ready || len(keys.Endpoints) != 3 || keys.User == "" || keys.TLS != "" {
		t.Errorf("it is given %+v", keys)
	}
}

func TestALeaderWhoseDataIsLostTakesNothingBackFromClients(t *testing.T) {
	in := begun(map[effect.ProbeID]effect.Fact{effect.ProbeID(effect.VolumeFact + string(volumeID)): {Value: effect.VolumeEmpty}})
	const relation = 7
	granted := map[string]string{"endpoints": "10.0.0.2:2379", "secret-user": "secret:2"}
	in.Live = effect.Live{Leader: true, Own: []effect.OwnBag{{Relation: relation, Application: granted}}}
	in.Spec.Relations = append(in.Spec.Relations, effect.Relation{
		ID: relation, Endpoint: "etcd-client", Role: model.Provides, Life: model.Alive, Bag: map[string]string{"prefix": "/app/"},
	})
	want := Charm{}.Reconcile(in)
	kept := slices.ContainsFunc(want.Bags, func(b effect.Bag) bool {
		return b.Relation == relation && b.Application && maps.Equal(b.Data, granted)
	})
	if want.Status.Level != model.Blocked || !kept {
		t.Errorf("it is %v and publishes %v", want.Status, want.Bags)
	}
}

func TestThePlanOfThreeMembers(t *testing.T) { deployed(t, 3).Golden("three") }
