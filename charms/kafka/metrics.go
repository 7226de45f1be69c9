package kafka

import (
	"github.com/gantry-orchestrator/gantry/charms/interfaces"
	"github.com/gantry-orchestrator/gantry/charms/sdk"
	"github.com/gantry-orchestrator/gantry/model"
)

// metrics tells those who collect them where every node serves its own.
func (n *node) metrics() {
	n.b.Port(metricsPort)
	for _, l := range n.serves() {
		n.b.Port(l.port)
	}
	for _, r := range sdk.Relations(n.in, "metrics-endpoint") {
		if r.Life != model.Alive {
			continue
		}
		n.b.Publish(r.ID, map[string]string{
			"prometheus_scrape_unit_address": n.in.Spec.Address,
			"prometheus_scrape_unit_name":    n.in.Spec.Unit.String(),
		}, serviceID)
		if n.in.Live.Leader {
			n.b.PublishApplication(r.ID, interfaces.Scrape{
				Model: string(n.in.Spec.Model), Application: string(n.in.Spec.Unit.Application), Charm: string(n.in.Spec.Charm.Name),
				Jobs: []interfaces.ScrapeJob{{Name: "kafka", Port: metricsPort}}, Rules: alerts,
			}.Bag())
		}
	}
}

// exported is what the exporter makes of Kafka's own names: one metric for each
// that a rule or a board is for, as reading all of them takes a second.
const exported = `lowercaseOutputName: true
includeObjectNames:
  - "kafka.server:type=ReplicaManager,name=*"
  - "kafka.server:type=BrokerTopicMetrics,name=*"
  - "kafka.server:type=KafkaRequestHandlerPool,name=RequestHandlerAvgIdlePercent"
  - "kafka.server:type=raft-metrics"
  - "kafka.controller:type=KafkaController,name=*"
  - "kafka.controller:type=ControllerStats,name=*"
  - "kafka.log:type=LogManager,name=OfflineLogDirectoryCount"
rules:
  - pattern: "kafka.(server|controller|log)<type=(.+), name=(.+), topic=(.+)><>(Count|Value)"
    name: kafka_$1_$2_$3
    labels:
      topic: "$4"
  - pattern: "kafka.(server|controller|log)<type=(.+), name=(.+)><>(Count|Value)"
    name: kafka_$1_$2_$3
  - pattern: "kafka.server<type=KafkaRequestHandlerPool, name=RequestHandlerAvgIdlePercent><>OneMinuteRate"
    name: kafka_server_requesthandler_idle
  - pattern: "kafka.server<type=raft-metrics><>(number-of-voters|log-end-offset|high-watermark|current-leader|append-records-rate)"
    name: kafka_server_raft_$1
`

// alerts are the rules that come with these metrics.
var alerts = []interfaces.AlertRule{
	rule("KafkaOfflinePartitions", `max(kafka_controller_kafkacontroller_offlinepartitionscount) > 0`, "1m", "critical",
		"{{ $value }} partitions have no leader."),
	rule("KafkaActiveControllers", `sum(kafka_controller_kafkacontroller_activecontrollercount) != 1`, "1m", "critical",
		"{{ $value }} controllers are active."),
	rule("KafkaUnderReplicated", `kafka_server_replicamanager_underreplicatedpartitions > 0`, "5m", "warning",
		"{{ $value }} partitions that {{ $labels.instance }} leads lack a replica."),
	rule("KafkaUncleanElections", `increase(kafka_controller_controllerstats_uncleanleaderelectionspersec[10m]) > 0`, "0m", "critical",
		"A replica leads that lacked records: some that were acknowledged may be lost."),
	rule("KafkaOfflineLogDirectories", `kafka_log_logmanager_offlinelogdirectorycount > 0`, "1m", "critical",
		"{{ $labels.instance }} cannot use a directory of its."),
	rule("KafkaBusy", `kafka_server_requesthandler_idle < 0.3`, "10m", "warning",
		"The threads of {{ $labels.instance }} that answer requests are idle {{ $value | humanizePercentage }} of the time."),
	rule("KafkaHeap", `jvm_memory_used_bytes{area="heap",job=~".*kafka.*"} / jvm_memory_max_bytes{area="heap",job=~".*kafka.*"} > 0.85`, "15m", "warning",
		"The heap of {{ $labels.instance }} has been over 85 % full for a quarter of an hour."),
	rule("KafkaVoterLag", `max(kafka_server_raft_log_end_offset) - on() group_right() kafka_server_raft_log_end_offset > 1000`, "5m", "warning",
		"The metadata of {{ $labels.instance }} are {{ $value }} records behind."),
}

func rule(name, expr, duration, severity, summary string) interfaces.AlertRule {
	return interfaces.AlertRule{
		Alert: name, Expr: expr, For: duration,
		Labels: map[string]string{"severity": severity}, Annotations: map[string]string{"summary": summary},
	}
}
