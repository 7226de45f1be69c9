package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gantry-orchestrator/gantry/model"
)

// kafkaBundle is a cluster of three nodes, and a client that asks for a topic.
const kafkaBundle = "bundles/kafka.yaml"

// TestKafka takes a cluster through what may befall it while a producer writes
// all the time, and then compares what was acknowledged with what is there. Its
// five Java machines want a host of their own: it is told on request, with
// GANTRY_E2E_KAFKA=1.
func TestKafka(t *testing.T) {
	if os.Getenv("GANTRY_E2E_KAFKA") == "" {
		t.Skip("told on request: run GANTRY_E2E_KAFKA=1 go test -run TestKafka ./cmd/gantry/e2e")
	}
	k := &kafka{workspace: workspace{in: open(t), name: "default"}}
	began := time.Now()
	k.gantry(t, "apply", kafkaBundle)
	k.converge(t, convergenceTime)
	figure("kafka of three and a client", time.Since(began).Seconds(), "s", "no goal")
	k.credentials = k.act(t, "client/0", "get-credentials")
	k.producer = startProducer(t, k.credentials)
	k.producer.flows(t)
	for _, story := range []struct {
		name string
		tell func(*testing.T)
	}{
		{"the distribution's own consumer reads the topic", k.consoleConsumer},
		{"a broker that stops hands over", k.stopped},
		{"a broker's machine dies, and no record is lost", k.machineKilled},
		{"a change rolls, one node at a time", k.rolled},
		{"another release rolls, and its features follow", k.upgraded},
		{"three nodes become five and three again", k.scaled},
	} {
		if !t.Run(story.name, story.tell) {
			break
		}
	}
	k.producer.end(t)
	k.producer.audit(t, k.credentials)
	t.Run("a removed relation takes its user and permissions along", k.unrelated)
}

// kafka is the application of that name in a workspace, and who writes to it.
type kafka struct {
	workspace
	credentials credentials
	producer    *producer
}

// node is Kafka's process of a unit; none has the number 0.
func (k *kafka) node(t testing.TB, unit string) (found process) {
	t.Helper()
	for _, p := range machineOf(t, k.status(t), unit).processes() {
		if slices.Contains(p.args, "kafka.Kafka") {
			return p
		}
	}
	return process{}
}

// whole waits until all nodes serve, vote and have all that they should have.
func (k *kafka) whole(t *testing.T, nodes int) {
	t.Helper()
	k.converge(t, convergenceTime)
	eventually(t, time.Minute, "every node votes", func() error {
		quorum, err := k.tryAct("kafka/0", "describe-quorum")
		if err != nil {
			return err
		}
		if quorum["voters"] != fmt.Sprint(nodes) {
			return fmt.Errorf("the quorum is\n%s", quorum["replicas"])
		}
		return nil
	})
}

// during measures the longest time without an acknowledgement while something
// happens.
func (k *kafka) during(t *testing.T, what, goal string, do func()) time.Duration {
	t.Helper()
	from := time.Now()
	do()
	k.producer.flows(t)
	gap := k.producer.gap(from)
	figure("kafka "+what+", without an acknowledgement", gap.Seconds(), "s", goal)
	return gap
}

func (k *kafka) consoleConsumer(t *testing.T) {
	login := fmt.Sprintf("security.protocol=SASL_PLAINTEXT\nsasl.mechanism=SCRAM-SHA-512\n"+
		"sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required username=%q password=%q;\n",
		k.credentials["username"], k.credentials["password"])
	properties := filepath.Join(machineOf(t, k.status(t), "kafka/1").files(t), "tmp", "client.properties")
	if err := os.WriteFile(properties, []byte(login), 0o644); err != nil {
		t.Fatal(err)
	}
	libs := ""
	for _, p := range k.node(t, "kafka/1").args {
		if strings.HasSuffix(p, "/libs/*") {
			libs = p
		}
	}
	consume := func(group string) result {
		return k.in.run(3*time.Minute, k.of("exec", "--unit", "kafka/1", "--", "java", "-Xmx96m", "-cp", libs,
			"org.apache.kafka.tools.consumer.ConsoleConsumer", "--bootstrap-server", k.credentials["endpoints"],
			"--topic", k.credentials["topic"], "--group", group, "--from-beginning", "--max-messages", "100", "--timeout-ms", "60000",
			"--consumer.config", "/tmp/client.properties")...)
	}
	if r := consume(k.credentials["consumer-group-prefix"] + "console"); r.code != 0 || !strings.Contains(r.out+r.err, "Processed a total of 100 messages") {
		t.Errorf("exit %d\n%s%s", r.code, r.out, r.err)
	}
	if r := consume("somebody-elses"); !strings.Contains(r.out+r.err, "GroupAuthorizationException") {
		t.Errorf("a group of another name: exit %d\n%s%s", r.code, r.out, r.err)
	}
}

func (k *kafka) stopped(t *testing.T) {
	before := k.node(t, "kafka/1")
	k.during(t, "clean stop of a node", "goal 1 s", func() {
		before.signal(t, syscall.SIGTERM)
		eventually(t, convergenceTime, "kafka/1 is back", func() error {
			if now := k.node(t, "kafka/1"); now.pid == 0 || now.identity() == before.identity() {
				return fmt.Errorf("its process is %v", now.identity())
			}
			return nil
		})
		k.whole(t, 3)
	})
}

func (k *kafka) machineKilled(t *testing.T) {
	before, began := k.node(t, "kafka/2"), time.Now()
	k.during(t, "machine killed", "goal 12 s", func() {
		k.gantry(t, "fault", "kill", string(unit(t, k.status(t), "kafka/2").Machine))
		eventually(t, convergenceTime, "kafka/2 is back", func() error {
			if now := k.node(t, "kafka/2"); now.pid == 0 || now.identity() == before.identity() {
				return fmt.Errorf("its process is %v", now.identity())
			}
			return settled(k.status(t), "kafka", 3)
		})
		figure("kafka's killed machine is back", time.Since(began).Seconds(), "s", "no goal")
		k.whole(t, 3)
	})
}

// rolls changes an option that restarts every node.
func (k *kafka) rolls(t *testing.T, what, option string) {
	t.Helper()
	before := map[string]string{}
	for _, u := range application(t, k.status(t), "kafka").Units {
		before[u.Name.String()] = k.node(t, u.Name.String()).identity()
	}
	began := time.Now()
	k.during(t, what, "no goal", func() {
		k.gantry(t, "config", "kafka", option)
		eventually(t, convergenceTime, "every node has restarted", func() error {
			for unit, was := range before {
				if k.node(t, unit).identity() == was {
					return fmt.Errorf("%s has not", unit)
				}
			}
			return nil
		})
		k.whole(t, 3)
		figure("kafka "+what+" of three", time.Since(began).Seconds(), "s", "no goal")
	})
}

func (k *kafka) rolled(t *testing.T) { k.rolls(t, "rolling restart", "message-max-bytes=2000000") }

func (k *kafka) upgraded(t *testing.T) {
	k.rolls(t, "rolling upgrade from 4.0 to 4.1", "version=4.1")
	levels := k.act(t, "kafka/0", "finalize-upgrade")
	if levels["from"] == levels["to"] {
		t.Errorf("the features did not follow: %v", levels)
	}
	k.producer.flows(t)
}

func (k *kafka) scaled(t *testing.T) {
	began := time.Now()
	k.during(t, "three to five to three", "no goal", func() {
		k.gantry(t, "add-unit", "kafka", "-n", "2")
		k.whole(t, 5)
		figure("kafka three to five", time.Since(began).Seconds(), "s", "no goal")
		if moved := k.act(t, "kafka/0", "rebalance", "dryrun=false"); moved["count"] == "0" {
			t.Error("nothing was moved to the new nodes")
		}
		from := time.Now()
		k.gantry(t, "remove-unit", "kafka/3", "kafka/4")
		eventually(t, convergenceTime, "two nodes are gone", func() error {
			if n := len(application(t, k.status(t), "kafka").Units); n != 3 {
				return fmt.Errorf("there are %d units", n)
			}
			return nil
		})
		k.whole(t, 3)
		figure("kafka five to three", time.Since(from).Seconds(), "s", "no goal")
	})
}

func (k *kafka) unrelated(t *testing.T) {
	user := k.credentials["username"]
	if users := k.act(t, "kafka/0", "list-users")["users"]; !strings.Contains(users, user) {
		t.Fatalf("the users are\n%s", users)
	}
	k.gantry(t, "remove-relation", "client:kafka", "kafka:kafka-client")
	eventually(t, time.Minute, "the user is gone", func() error {
		users, err := k.tryAct("kafka/0", "list-users")
		if err == nil && strings.Contains(users["users"], user) {
			err = fmt.Errorf("the users are\n%s: %w", users["users"], model.ErrConflict)
		}
		return err
	})
	if topics := k.act(t, "kafka/0", "list-topics")["topics"]; !strings.Contains(topics, k.credentials["topic"]) {
		t.Errorf("the topic is gone too:\n%s", topics)
	}
}
