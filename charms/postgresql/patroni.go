package postgresql

import (
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"time"

	"github.com/gantry-orchestrator/gantry/charms/sdk"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// service wants Patroni, its configuration and what it needs first.
func (m *member) service(uses []effect.ID) {
	file := m.b.File(effect.File{
		ID: patroniYML, Path: m.patroniYML(), Mode: 0o600, Owner: m.user(), Group: m.user(),
		Content: m.configuration(), After: uses,
	})
	uses = append(uses, file, m.backrestFile(uses))
	m.b.Service(effect.Service{
		ID:          serviceID,
		Command:     []string{"/usr/bin/patroni", m.patroniYML()},
		Env:         map[string]string{"LANG": "C.UTF-8", "PATH": binaries + ":/usr/bin:/bin"},
		Dir:         m.home(),
		User:        m.user(),
		Group:       m.user(),
		Stopped:     m.stopped(),
		ReloadOn:    []effect.ID{patroniYML},
		StopTimeout: time.Minute, // a member that lost quorum takes over 20 s
		Health:      healthProbe,
		Healthy:     "200",
		Uses:        uses,
		Volume:      volumeID,
		Turn:        m.stopTurn(),
	})
}

// stopTurn is what a member that leaves needs before it stops.
func (m *member) stopTurn() *effect.Turn {
	if !m.leaving() {
		return nil
	}
	return m.membershipTurn()
}

func (m *member) probes() {
	interval, fall := time.Second, 3
	if !m.running() {
		interval, fall = 250*time.Millisecond, 12 // it comes up; whoever waits for it waits no longer
	}
	m.b.Probe(effect.Probe{
		ID: statusProbe, Interval: interval, Fall: fall,
		HTTP:   &effect.HTTPProbe{URL: m.rest("/patroni")},
		Select: []string{"state", "role", "pending_restart", "sync_standby", "timeline", "server_version", "postmaster_start_time", "tags.nofailover", "cluster_unlocked"},
	})
	m.b.Probe(effect.Probe{ID: healthProbe, Interval: 2 * interval, Fall: fall, HTTP: &effect.HTTPProbe{URL: m.rest("/health")}})
}

// memberCleared is the probe that releases a turn: "true" once the member is a
// voter of a quorum and serves.
func (m *member) memberCleared() effect.ProbeID {
	if m.cleared != "" {
		return m.cleared
	}
	m.cleared = m.b.Probe(effect.Probe{
		ID: memberProbe, Interval: 2 * time.Second, Timeout: 10 * time.Second,
		Exec: &effect.Exec{Call: callMember, Args: m.args("address", m.in.Spec.Address), User: m.user()},
	})
	return m.cleared
}

func (m *member) rest(p string) string { return "http://" + sdk.HostPort(m.in, restPort) + p }

// args are the arguments of a call, with the passwords that calls need.
func (m *member) args(pairs ...string) map[string]effect.Content {
	out := map[string]effect.Content{
		"patroni-password":  sdk.Text(sdk.Secret(m.secret, "patroni")),
		"raft-password":     sdk.Text(sdk.Secret(m.secret, "raft")),
		"operator-password": sdk.Text(m.passwordOf("operator", effect.Raw)),
		"consensus":         sdk.Text(m.epoch.Consensus),
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		out[pairs[i]] = sdk.Text(pairs[i+1])
	}
	return out
}

// configuration is patroni.yml. JSON is YAML: the parts without secrets are
// encoded, the rest is text.
func (m *member) configuration() effect.Content {
	in := m.in
	password := func(role string) effect.Segment { return m.passwordOf(role, effect.Quoted) }
	parts := []any{
		"scope: ", in.Spec.Unit.Application, "\n",
		"name: ", in.Spec.Unit.Dashed(), "\n",
		"restapi: {listen: ", quote(sdk.HostPort(in, restPort)), ", connect_address: ", quote(sdk.HostPort(in, restPort)),
		", authentication: {username: patroni, password: ", password("patroni"), "}}\n",
		m.consensusSection(),
		m.tags(),
		m.bootstrap(),
		"postgresql:\n",
		"  listen: ", quote(sdk.HostPort(in, sqlPort)), "\n",
		"  connect_address: ", quote(sdk.HostPort(in, sqlPort)), "\n",
		"  bin_dir: ", binaries, "\n",
		"  data_dir: ", quote(m.dataDir()), "\n",
		"  pgpass: ", quote(path.Join(m.home(), "pgpass")), "\n",
		"  use_unix_socket: true\n  create_replica_methods: [basebackup]\n  basebackup: [{checkpoint: fast}]\n",
		"  authentication:\n",
	}
	for _, a := range [][3]string{{"superuser", "operator"}, {"replication", "replication", m.upstream()}, {"rewind", "rewind", m.upstream()}} {
		parts = append(parts, "    ", a[0], ": {username: ", a[1], ", password: ", password(a[1]), a[2], "}\n")
	}
	parts = append(parts, "  parameters: ", quote(m.localParameters()), "\n",
		"  pg_hba: ", quote(m.hba()), "\n",
		"  pg_ident: ", quote([]string{"op " + m.user() + " operator"}), "\n")
	return sdk.Text(parts...)
}

// tags keep a standby that leaves from becoming the primary or the one that
// confirms commits: no other could take over from it.
func (m *member) tags() string {
	if !m.leaving() || m.isPrimary() || !m.anyStays() {
		return ""
	}
	return "tags: {nofailover: true, nosync: true}\n"
}

// bootstrap has the epoch's founder, and nobody else, make the data: by initdb,
// or in an epoch that a restore began from its backup. A member without this
// section waits for a primary, whatever it finds in the consensus.
func (m *member) bootstrap() string {
	if m.epoch.Founder != m.in.Spec.Unit {
		return ""
	}
	settings := "bootstrap:\n  dcs: " + m.settings.dcs.body() + "\n"
	if order := m.restoring(); order != nil && m.restored(order) {
		return settings + m.bootstrapFromBackup(order)
	}
	return settings + "  initdb: [{encoding: UTF8}, {locale: C.UTF-8}, data-checksums, {auth-host: scram-sha-256}, {auth-local: peer}]\n"
}

// localParameters are those that differ between members or follow the backup
// repository; all of them are reloaded.
func (m *member) localParameters() map[string]string {
	p := map[string]string{
		"unix_socket_directories": m.socketDir(),
		"archive_mode":            "on",
		"archive_command":         m.archiveCommand(),
		"archive_timeout":         "60",
	}
	maps.Copy(p, m.tlsParameters())
	return p
}

func (m *member) hba() []string {
	network, from := m.in.Spec.CIDR, "host"
	if m.settings.tls == tlsRequired {
		from = "hostssl"
	}
	return []string{
		"local all operator peer map=op",
		"local all all peer map=op",
		from + " replication replication " + network + " scram-sha-256",
		from + " all all " + network + " scram-sha-256",
	}
}

// quote writes v as JSON, which YAML reads too.
func quote(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("postgresql: %v does not encode: %v", v, err))
	}
	return string(b)
}
