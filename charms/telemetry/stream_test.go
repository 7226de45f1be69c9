package telemetry

import (
	"slices"
	"strings"
	"testing"

	"github.com/gantry-orchestrator/gantry/charms/interfaces"
	"github.com/gantry-orchestrator/gantry/charms/sdk"
	"github.com/gantry-orchestrator/gantry/charms/sdk/sdktest"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

var builtin = sdk.Builtin{Name: "telemetry", Files: Files, Charm: Charm{}}

const (
	loginID = "secret:00000000000000000000000000000002"
	trustID = "secret:00000000000000000000000000000003"
)

func database() sdktest.Remote {
	return sdktest.Remote{
		Endpoint: "database", Application: "postgresql",
		Bag: map[string]string{
			"database": "telemetry", "secret-user": secretID,
			"endpoints": "10.0.0.2:5432", "read-only-endpoints": "10.0.0.3:5432,10.0.0.1:5432",
		},
		Units:   []map[string]string{{}},
		Secrets: []effect.Secret{{ID: secretID, Name: "relation-3", Fields: []string{"password", "username"}}},
	}
}

// brokers are Kafka, with TLS.
func brokers() sdktest.Remote {
	return sdktest.Remote{
		Endpoint: "kafka-client", Application: "kafka",
		Bag: interfaces.KafkaTopic{
			Topic: "telemetry", Endpoints: []string{"10.0.0.7:9093", "10.0.0.5:9093", "10.0.0.6:9093"}, User: loginID, TLS: trustID,
		}.Bag(),
		Units: []map[string]string{{}},
		Secrets: []effect.Secret{
			{ID: loginID, Name: "relation-4", Fields: []string{"password", "username"}},
			{ID: trustID, Name: "trust-4", Fields: []string{"tls", "tls-ca"}},
		},
	}
}

func TestTheCharmKeepsWhatEveryCharmMust(t *testing.T) {
	facts := map[effect.ProbeID]string{healthProbe: "200", archiverProbe: "200"}
	changes := []map[string]any{{"rate": 20.0}, {"apids": "7"}}
	for name, remotes := range map[string][]sdktest.Remote{
		"into the archive": {database()},
		"through a topic":  {database(), brokers()},
	} {
		t.Run(name, func(t *testing.T) {
			sdktest.Check(t, builtin, sdktest.Scenario{Units: 2, Faults: 1, Remotes: remotes, Facts: facts, Changes: changes})
		})
	}
}

func TestTheCharmIsWellFormed(t *testing.T) {
	if err := sdktest.Lint(builtin); err != nil {
		t.Fatal(err)
	}
}

func streaming(t *testing.T, remotes ...sdktest.Remote) *sdktest.Model {
	t.Helper()
	m := sdktest.New(t, builtin, sdktest.Scenario{
		Units: 2, Remotes: remotes, Facts: map[effect.ProbeID]string{healthProbe: "200", archiverProbe: "200"},
	})
	m.Settle()
	return m
}

func TestPacketsGoThroughTheTopicThatKafkaOffers(t *testing.T) {
	m := streaming(t, database(), brokers())
	m.Golden("through-a-topic")
	if status := m.Unit(1).Status(); status.Level != model.Active || status.Message != "10 packets/s through topic telemetry" {
		t.Errorf("status %+v", status)
	}
}

func TestWithoutKafkaPacketsGoIntoTheArchive(t *testing.T) {
	streaming(t, database()).Golden("into-the-archive")
}

func TestBrokersWithoutTLSAreTrustedAsTheyAre(t *testing.T) {
	kafka := brokers()
	delete(kafka.Bag, "secret-tls")
	for _, f := range streaming(t, database(), kafka).Unit(0).Desired().Files {
		if strings.HasSuffix(f.Path, "topic-ca.pem") || strings.Contains(sdktest.Text(effect.Desired{Files: []effect.File{f}}), "ca-file") {
			t.Errorf("%s names an authority", f.Path)
		}
	}
}

func TestAnythingThatKafkaHasNotOfferedYetIsWaitedFor(t *testing.T) {
	for missing, change := range map[string]func(*sdktest.Remote){
		"the topic":     func(r *sdktest.Remote) { r.Bag = nil },
		"the login":     func(r *sdktest.Remote) { r.Secrets = r.Secrets[1:] },
		"whom to trust": func(r *sdktest.Remote) { r.Secrets = r.Secrets[:1] },
	} {
		t.Run(missing, func(t *testing.T) {
			kafka := brokers()
			change(&kafka)
			m := sdktest.New(t, builtin, sdktest.Scenario{Remotes: []sdktest.Remote{database(), kafka}})
			m.Settle()
			want := m.Unit(0).Desired()
			if want.Status.Level != model.Waiting || want.Partial == "" || len(want.Services) != 0 || !strings.Contains(want.Status.Message, "for kafka") {
				t.Errorf("status %+v, partial %q, %d services", want.Status, want.Partial, len(want.Services))
			}
			asked := slices.ContainsFunc(want.Bags, func(b effect.Bag) bool {
				return b.Application && b.Data["topic"] == "telemetry" && b.Data["extra-user-roles"] == "producer,consumer"
			})
			if !asked {
				t.Errorf("it publishes %+v, want that the leader asks for the topic", want.Bags)
			}
		})
	}
}

// commands are what a unit's services run.
func commands(m *sdktest.Model) (all []string) {
	for _, s := range m.Unit(0).Desired().Services {
		all = append(all, s.Command[len(s.Command)-3])
	}
	slices.Sort(all)
	return all
}

func TestARelationWithKafkaThatGoesSendsPacketsIntoTheArchiveAgain(t *testing.T) {
	in := input("/etc")
	if got := reconcile(t, in).Services; len(got) != 1 || !slices.Contains(got[0].Command, "serve") {
		t.Errorf("without a topic the services are %+v", got)
	}
	if got := commands(streaming(t, database(), brokers())); !slices.Equal(got, []string{"archive", "produce"}) {
		t.Errorf("with a topic they are %v", got)
	}
	in.Spec.Relations = append(in.Spec.Relations, effect.Relation{
		ID: 4, Endpoint: "kafka-client", Interface: interfaces.KafkaClient, Life: model.Dying, Remote: "kafka", Bag: brokers().Bag,
	})
	if got := reconcile(t, in).Services; len(got) != 1 || !slices.Contains(got[0].Command, "serve") {
		t.Errorf("as its relation goes they are %+v", got)
	}
}
