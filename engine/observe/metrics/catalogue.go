package metrics

import (
	"fmt"
	"slices"
	"strings"
)

// Entry documents one metric.
type Entry struct {
	Name   string
	Type   string // counter, gauge or histogram
	Labels []string
	Help   string
}

// The metrics. Those of agents are told by them to who leads, so that no
// machine needs a port of its own.
var (
	commits        = Entry{"gantry_commits_total", "counter", []string{"outcome"}, "Proposals to the replicated log: committed, or failed (not led, or unknown)."}
	commitSeconds  = Entry{"gantry_commit_seconds", "histogram", nil, "Time from a proposal to its application on the leader."}
	commands       = Entry{"gantry_commands_applied_total", "counter", nil, "Commands applied to the state on this controller."}
	applySeconds   = Entry{"gantry_apply_seconds", "histogram", nil, "Time to apply one entry of the log."}
	storeSeconds   = Entry{"gantry_log_store_seconds", "histogram", nil, "Time to write entries to the log and have the disk keep them."}
	fsyncSeconds   = Entry{"gantry_disk_fsync_seconds", "histogram", nil, "Time of a small write and fsync, tried every five seconds beside the log."}
	requests       = Entry{"gantry_requests_total", "counter", []string{"route", "code"}, "Requests that ended, by gRPC method and status code."}
	requestSeconds = Entry{"gantry_request_seconds", "histogram", []string{"route"}, "Time of requests that are answered at once."}
	solverRounds   = Entry{"gantry_solver_rounds_total", "counter", nil, "Rounds of the solver."}
	solverSeconds  = Entry{"gantry_solver_seconds", "histogram", nil, "Time of one round of the solver."}
	solverCommands = Entry{"gantry_solver_commands_total", "counter", nil, "Commands that the solver derived."}

	up             = Entry{"gantry_controller_info", "gauge", []string{"controller", "version"}, "1, for the controller that answers."}
	leading        = Entry{"gantry_leader", "gauge", nil, "1 on the controller that leads."}
	term           = Entry{"gantry_term", "gauge", nil, "Term of the replicated log."}
	index          = Entry{"gantry_log_index", "gauge", nil, "Newest entry of the log here."}
	entries        = Entry{"gantry_log_entries", "gauge", nil, "Entries of the log that are kept here."}
	logBytes       = Entry{"gantry_log_bytes", "gauge", nil, "Size of the log's files here."}
	snapshotAge    = Entry{"gantry_snapshot_age_seconds", "gauge", nil, "Age of the newest snapshot here; absent before the first."}
	stateIndex     = Entry{"gantry_state_index", "gauge", nil, "Newest command applied here."}
	revision       = Entry{"gantry_revision", "gauge", nil, "Newest change by an operator."}
	contact        = Entry{"gantry_member_contact_seconds", "gauge", []string{"member"}, "On the leader: since when a member has not answered."}
	lag            = Entry{"gantry_member_lag_entries", "gauge", []string{"member"}, "On the leader: entries that a member does not have."}
	sessions       = Entry{"gantry_sessions", "gauge", nil, "Sessions of agents with this controller."}
	agents         = Entry{"gantry_agents", "gauge", []string{"heard"}, "On the leader: agents that are heard, and that are not."}
	units          = Entry{"gantry_units", "gauge", []string{"model", "status"}, "On the leader: units by status."}
	auditLength    = Entry{"gantry_audit_records", "gauge", nil, "Records of requests made by this controller."}
	historyWaiting = Entry{"gantry_history_waiting_rows", "gauge", nil, "Rows of the history that wait to be written."}
	historyDropped = Entry{"gantry_history_dropped_rows_total", "counter", nil, "Rows of the history that were lost since the start."}
	backupAge      = Entry{"gantry_backup_age_seconds", "gauge", nil, "Age of the newest backup; absent where there is none."}
	drillPassed    = Entry{"gantry_backup_drill_passed", "gauge", nil, "1 if the last drill of a backup passed, else 0; absent before the first."}
	drillAge       = Entry{"gantry_backup_drill_age_seconds", "gauge", nil, "Age of the last drill."}
	degraded       = Entry{"gantry_ha_degraded", "gauge", nil, "1 on the leader where the controllers together are less than they should be."}
	findings       = Entry{"gantry_findings", "gauge", []string{"check", "level"}, "On the leader: what was found amiss, as gantry doctor tells."}
	agentRounds    = Entry{"gantry_agent_rounds_total", "counter", []string{"model", "machine"}, "Rounds of an agent deciding what to do next."}
	agentEffects   = Entry{"gantry_agent_effects_total", "counter", []string{"model", "machine"}, "Actions that an agent has done."}
	agentFailures  = Entry{"gantry_agent_failures_total", "counter", []string{"model", "machine"}, "Actions of an agent that failed and are tried again."}
	agentServices  = Entry{"gantry_agent_services", "gauge", []string{"model", "machine", "state"}, "Services under a machine's supervisor, by state."}
)

// Catalogue is every metric, by name.
func Catalogue() []Entry {
	all := []Entry{
		commits, commitSeconds, commands, applySeconds, storeSeconds, fsyncSeconds, requests, requestSeconds,
		solverRounds, solverSeconds, solverCommands,
		up, leading, term, index, entries, logBytes, snapshotAge, stateIndex, revision, contact, lag, sessions, agents, units, auditLength,
		historyWaiting, historyDropped, backupAge, drillPassed, drillAge, degraded, findings,
		agentRounds, agentEffects, agentFailures, agentServices,
	}
	slices.SortFunc(all, func(a, b Entry) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// Table is the catalogue in Markdown.
func Table() string {
	var b strings.Builder
	b.WriteString("| metric | type | labels | meaning |\n|---|---|---|---|\n")
	for _, e := range Catalogue() {
		labels := make([]string, 0, len(e.Labels))
		for _, l := range e.Labels {
			labels = append(labels, "`"+l+"`")
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", e.Name, e.Type, strings.Join(labels, ", "), e.Help)
	}
	return b.String()
}
