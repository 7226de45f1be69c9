package etcd

import (
	"github.com/gantry-orchestrator/gantry/charms/interfaces"
	"github.com/gantry-orchestrator/gantry/charms/sdk"
	"github.com/gantry-orchestrator/gantry/model"
)

// metrics tells those who collect them where every member serves its own.
func (m *member) metrics() {
	m.b.Port(metricsPort)
	for _, r := range sdk.Relations(m.in, "metrics-endpoint") {
		if r.Life != model.Alive {
			continue
		}
		m.b.Publish(r.ID, map[string]string{
			"prometheus_scrape_unit_address": m.in.Spec.Address,
			"prometheus_scrape_unit_name":    m.in.Spec.Unit.String(),
		}, serviceID)
		if m.in.Live.Leader {
			m.b.PublishApplication(r.ID, interfaces.Scrape{
				Model: string(m.in.Spec.Model), Application: string(m.in.Spec.Unit.Application), Charm: string(m.in.Spec.Charm.Name),
				Jobs: []interfaces.ScrapeJob{{Name: "etcd", Port: metricsPort}}, Rules: alerts,
			}.Bag())
		}
	}
}

// alerts are the rules that come with etcd's own metrics.
var alerts = []interfaces.AlertRule{
	rule("EtcdNoLeader", `etcd_server_has_leader == 0`, "1m", "critical", "{{ $labels.instance }} sees no leader."),
	rule("EtcdMembersDown", `up{job=~".*etcd.*"} == 0`, "3m", "critical", "{{ $labels.instance }} does not answer."),
	rule("EtcdFsyncSlow", `histogram_quantile(0.99, rate(etcd_disk_wal_fsync_duration_seconds_bucket[5m])) > 0.5`, "10m", "warning",
		"One write in a hundred takes the disk of {{ $labels.instance }} {{ $value }} s."),
	rule("EtcdQuota", `etcd_mvcc_db_total_size_in_bytes / etcd_server_quota_backend_bytes > 0.8`, "10m", "warning",
		"The store of {{ $labels.instance }} has taken over 80 % of its quota: at all of it writes are refused."),
	rule("EtcdLeaderChanges", `increase(etcd_server_leader_changes_seen_total[15m]) > 3`, "5m", "warning", "{{ $labels.instance }} saw {{ $value }} leaders in 15 minutes."),
}

func rule(name, expr, duration, severity, summary string) interfaces.AlertRule {
	return interfaces.AlertRule{
		Alert: name, Expr: expr, For: duration,
		Labels: map[string]string{"severity": severity}, Annotations: map[string]string{"summary": summary},
	}
}
