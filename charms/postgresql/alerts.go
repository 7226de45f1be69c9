package postgresql

import "github.com/gantry-orchestrator/gantry/charms/interfaces"

// alerts are the rules that come with the metrics of the exporter (pg_) and of
// Patroni (patroni_).
var alerts = []interfaces.AlertRule{
	rule("PostgreSQLDown", `pg_up == 0`, "1m", "critical", "PostgreSQL on {{ $labels.instance }} does not answer."),
	rule("PostgreSQLNoPrimary", `sum by (scope) (patroni_primary) < 1`, "1m", "critical", "Cluster {{ $labels.scope }} has no primary."),
	rule("PostgreSQLManyPrimaries", `sum by (scope) (patroni_primary) > 1`, "1m", "critical", "Cluster {{ $labels.scope }} has more than one primary."),
	rule("PostgreSQLNoSynchronousStandby", `sum by (scope) (patroni_sync_standby) < 1 and count by (scope) (patroni_primary) > 1`, "5m", "warning",
		"No standby of cluster {{ $labels.scope }} confirms commits: a loss of the primary may lose writes."),
	rule("PostgreSQLPendingRestart", `patroni_pending_restart == 1`, "30m", "warning", "{{ $labels.instance }} waits for a restart to take up its settings."),
	rule("PostgreSQLReplicationLag", `pg_standby_lag_seconds > 300`, "1m", "warning", "{{ $labels.instance }} is {{ $value }} s behind."),
	rule("PostgreSQLArchiverFailing", `increase(pg_stat_archiver_failed_count[15m]) > 0`, "5m", "warning", "WAL of {{ $labels.instance }} does not reach the backup repository."),
	rule("PostgreSQLTransactionAge", `pg_transactions_oldest_age > 3e8`, "5m", "warning", "{{ $labels.instance }} is {{ $value }} transactions from its last freeze: look after vacuum."),
	rule("PostgreSQLConnections", `sum by (instance) (pg_stat_activity_count) / max by (instance) (pg_settings_max_connections) > 0.8`, "5m", "warning",
		"More than 80 % of the connections of {{ $labels.instance }} are taken."),
	rule("PostgreSQLInactiveSlot", `pg_replication_slots_active == 0`, "15m", "warning", "Slot {{ $labels.slot_name }} of {{ $labels.instance }} keeps WAL for nobody."),
	rule("PostgreSQLFailsafe", `patroni_failsafe_mode_is_active == 1`, "1m", "warning", "Cluster {{ $labels.scope }} lost its consensus and lives by failsafe mode."),
}

func rule(name, expr, duration, severity, summary string) interfaces.AlertRule {
	return interfaces.AlertRule{
		Alert: name, Expr: expr, For: duration,
		Labels: map[string]string{"severity": severity}, Annotations: map[string]string{"summary": summary},
	}
}
