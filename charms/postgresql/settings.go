package postgresql

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/gantry-orchestrator/gantry/charms/postgresql/internal/schedule"
	"github.com/gantry-orchestrator/gantry/charms/sdk"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// settings are the options, checked, in Patroni's and PostgreSQL's terms.
type settings struct {
	dcs       dynamic
	consensus string // the option dcs
	tls       string
	retention int // days
	schedule  schedule.Schedule
}

// dynamic is the configuration that Patroni keeps in its consensus: bootstrap
// takes it once, PATCH /config changes it later.
type dynamic struct {
	TTL                   int        `json:"ttl"`
	LoopWait              int        `json:"loop_wait"`
	RetryTimeout          int        `json:"retry_timeout"`
	PrimaryStartTimeout   int        `json:"primary_start_timeout"`
	FailsafeMode          bool       `json:"failsafe_mode"`
	MaximumLagOnFailover  int        `json:"maximum_lag_on_failover"`
	SynchronousMode       bool       `json:"synchronous_mode"`
	SynchronousModeStrict bool       `json:"synchronous_mode_strict"`
	SynchronousNodeCount  int        `json:"synchronous_node_count"`
	PostgreSQL            postgreSQL `json:"postgresql"`
}

// postgreSQL is the part of dynamic that PostgreSQL itself reads. Values are
// texts, as they are in pg_settings.
type postgreSQL struct {
	UsePgRewind bool              `json:"use_pg_rewind"`
	UseSlots    bool              `json:"use_slots"`
	Parameters  map[string]string `json:"parameters"`
}

// minimumTTL is Patroni's own lower bound for ttl.
const minimumTTL = 20

func parseSettings(in effect.Input) (settings, error) {
	ttl, loop := sdk.Int(in, "ttl"), sdk.Int(in, "loop_wait")
	retry := (ttl - loop) / 3 // loop_wait + 2*retry_timeout <= ttl must hold
	switch {
	case ttl < minimumTTL:
		return settings{}, fmt.Errorf("ttl is %d: expected at least %d", ttl, minimumTTL)
	case loop < 1 || retry < 3:
		return settings{}, fmt.Errorf("loop_wait is %d: expected 1 to %d with ttl %d", loop, ttl-9, ttl)
	}
	consensus, encryption := sdk.String(in, "dcs"), sdk.String(in, "tls")
	switch {
	case consensus != consensusAuto && consensus != consensusRaft && consensus != consensusEtcd:
		return settings{}, fmt.Errorf("dcs is %q: expected auto, etcd or raft", consensus)
	case encryption != tlsAuto && encryption != tlsRequired:
		return settings{}, fmt.Errorf("tls is %q: expected auto or required", encryption)
	}
	standbys, err := standbyCount(sdk.String(in, "synchronous_node_count"), in.Spec.Planned)
	if err != nil {
		return settings{}, err
	}
	if err := checkLimits(in); err != nil {
		return settings{}, err
	}
	parameters, err := parameters(in)
	if err != nil {
		return settings{}, err
	}
	due, err := schedule.Parse(sdk.String(in, "backup_schedule"))
	if err != nil {
		return settings{}, fmt.Errorf("backup_schedule: %w", err)
	}
	return settings{
		consensus: consensus,
		tls:       encryption,
		schedule:  due,
		retention: sdk.Int(in, "backup_retention_days"),
		dcs: dynamic{
			TTL: ttl, LoopWait: loop, RetryTimeout: min(retry, 10), PrimaryStartTimeout: 0,
			FailsafeMode:          sdk.Bool(in, "failsafe_mode"),
			MaximumLagOnFailover:  sdk.Int(in, "durability_maximum_lag_on_failover"),
			SynchronousMode:       true,
			SynchronousModeStrict: sdk.Bool(in, "synchronous_mode_strict"),
			SynchronousNodeCount:  standbys,
			PostgreSQL:            postgreSQL{UsePgRewind: true, UseSlots: true, Parameters: parameters},
		},
	}, nil
}

// standbyCount is how many standbys confirm a commit, of planned members.
func standbyCount(option string, planned int) (int, error) {
	switch option {
	case "all":
		return max(planned-1, 1), nil
	case "majority":
		return max(planned/2, 1), nil
	}
	n, err := strconv.Atoi(option)
	if err != nil || n < 1 {
		return 0, fmt.Errorf("synchronous_node_count is %q: expected all, majority or a number from 1", option)
	}
	return n, nil
}

func parameters(in effect.Input) (map[string]string, error) {
	p := map[string]string{
		"wal_level":                           "logical",
		"hot_standby":                         "on",
		"max_wal_senders":                     "20",
		"max_replication_slots":               "20",
		"wal_log_hints":                       "on",
		"password_encryption":                 "scram-sha-256",
		"max_connections":                     strconv.Itoa(sdk.Int(in, "max_connections")),
		"work_mem":                            sdk.String(in, "work_mem"),
		"maintenance_work_mem":                sdk.String(in, "maintenance_work_mem"),
		"wal_keep_size":                       sdk.String(in, "wal_keep_size"),
		"wal_compression":                     onOff(sdk.Bool(in, "wal_compression")),
		"statement_timeout":                   strconv.Itoa(sdk.Int(in, "statement_timeout")),
		"idle_in_transaction_session_timeout": strconv.Itoa(sdk.Int(in, "idle_in_transaction_session_timeout")),
		"log_min_duration_statement":          strconv.Itoa(sdk.Int(in, "log_min_duration_statement")),
		"shared_preload_libraries":            "",
	}
	if sdk.Bool(in, "plugin_pg_stat_statements_enable") {
		p["shared_preload_libraries"] = "pg_stat_statements"
	}
	switch profile := sdk.String(in, "profile"); profile {
	case "production":
		p["shared_buffers"] = "256MB"
	case "testing":
		p["shared_buffers"] = "32MB"
	default:
		return nil, fmt.Errorf("profile is %q: expected production or testing", profile)
	}
	if size := sdk.String(in, "shared_buffers"); size != "" {
		p["shared_buffers"] = size
	}
	return p, nil
}

// ours are the names of the parameters that the charm sets.
var ours = func() map[string]bool {
	names := map[string]bool{}
	p, err := parameters(effect.Input{Spec: effect.Spec{Config: map[string]any{"profile": "testing"}}})
	if err != nil {
		panic("postgresql: " + err.Error())
	}
	for name := range p {
		names[name] = true
	}
	return names
}()

func onOff(b bool) string {
	if b {
		return "on"
	}
	return "off"
}

// restarts lists the parameters that PostgreSQL 15 reads at start only (the
// context postmaster in pg_settings), of those that the charm sets.
var restarts = map[string]bool{
	"wal_level": true, "hot_standby": true, "max_wal_senders": true, "max_replication_slots": true,
	"wal_log_hints": true, "max_connections": true, "shared_buffers": true, "shared_preload_libraries": true,
}

// atStart identifies the values of what is read at start only.
func (s settings) atStart() string {
	read := map[string]string{}
	for name := range restarts {
		read[name] = s.dcs.PostgreSQL.Parameters[name]
	}
	return sdk.Digest(fmt.Sprint(read)) // Sprint sorts the keys
}

// body is the dynamic configuration as PATCH /config takes it.
func (d dynamic) body() string {
	b, err := json.Marshal(d)
	if err != nil {
		panic("postgresql: the dynamic configuration does not encode: " + err.Error())
	}
	return string(b)
}

func versionText(n int) string { return fmt.Sprintf("%d.%d", n/10000, n%10000) }
