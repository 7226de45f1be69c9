package postgresql

import (
	"fmt"
	"time"

	"github.com/gantry-orchestrator/gantry/charms/sdk"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// rank is the order of restarts: replicas, the synchronous standby, and the
// primary last.
var rank = map[string]int{roleReplica: 0, roleSync: 1, rolePrimary: 2}

// configure brings a change of the settings into the running cluster: once for
// all through Patroni's consensus, and by a restart in turn where PostgreSQL
// says that one is pending.
func (m *member) configure() {
	if !m.running() {
		return
	}
	body := m.settings.dcs.body()
	key := sdk.Digest(body)
	configure := effect.Task{
		ID: "task/configure", Key: key, Scope: effect.ApplicationScope,
		Run:        effect.Exec{Call: callConfigure, Args: m.args("address", m.in.Spec.Address, "body", body), User: m.user()},
		After:      []effect.ID{serviceID},
		Idempotent: true,
		Timeout:    time.Minute,
	}
	if m.takingUp() {
		probe := func(id effect.ProbeID, call string) effect.ProbeID {
			return m.b.Probe(effect.Probe{
				ID: id, Interval: 2 * time.Second, Timeout: 10 * time.Second,
				Exec: &effect.Exec{Call: call, Args: m.args("address", m.in.Spec.Address, "before", m.settingsBefore()), User: m.user()},
			})
		}
		probe(takenUpProbe, callTakenUp)
		// A rollback comes back to a key that was done: what counts is what
		// the consensus holds.
		configure.Yields = map[effect.ProbeID]string{probe(configuredProbe, callConfigured): key}
	}
	m.b.Task(configure)
	if sdk.Granted(m.in, turnRestart) {
		m.memberCleared()
	}
	if !m.observed.PendingRestart || m.isPrimary() && !m.othersStarted() {
		return
	}
	m.b.Task(effect.Task{
		ID: "task/restart", Key: m.restartKey(key),
		Run:        effect.Exec{Call: callRestart, Args: m.args("address", m.in.Spec.Address), User: m.user()},
		Needs:      []effect.ProbeID{statusProbe},
		Turn:       &effect.Turn{Name: turnRestart, Limit: 1, Rank: rank[m.observed.role()], Clear: m.memberCleared()},
		After:      []effect.ID{"task/configure"},
		Idempotent: true,
		Timeout:    3 * time.Minute,
	})
}

// publishStart says for which of the settings that are read at start the member
// was last started: for those of now, once it was started since they changed.
func (m *member) publishStart(bag map[string]string) {
	if bag["started-with"] == "" || bag["started"] != m.observed.Started {
		bag["started-with"], bag["started"] = m.settings.atStart(), m.observed.Started
	}
}

// othersStarted reports whether every other member was started since the
// settings changed that are read at start. Members hear of a change at their
// own pace, so that the primary may be the first to ask for its restart.
func (m *member) othersStarted() bool {
	for _, p := range sdk.Peers(m.in) {
		if p.Life == model.Alive && p.Bag["started-with"] != m.settings.atStart() {
			return false // or it has not said so
		}
	}
	return true
}

// restartKey lets a standby restart once on a timeline: a lowered limit stays
// pending there until the primary has it, and the switchover for the primary's
// own restart begins a new timeline, on which the standby may try again. A
// primary restarts once for each time that it was started.
func (m *member) restartKey(settings string) string {
	key := fmt.Sprint(settings, "/", m.observed.Timeline)
	if m.isPrimary() {
		key += "/" + m.observed.Started
	}
	return key
}

// takenUp is what a member says of the settings that it has taken up: both at
// once, so that a restart which they make pending is never overlooked.
type takenUp struct {
	Settings string `json:"settings"` // digest
	Pending  bool   `json:"pending"`  // a restart
}

// settingsBefore are those that the member said last that it runs with; "" for
// one that has just begun, with those of the consensus.
func (m *member) settingsBefore() string { return sdk.Published(m.in, m.peers.ID).Unit["settings"] }

// takingUp reports whether the member has not published yet that it runs with
// the present settings.
func (m *member) takingUp() bool { return m.settingsBefore() != sdk.Digest(m.settings.dcs.body()) }

// hasTakenUp reports whether the member is known to run with the present
// settings.
func (m *member) hasTakenUp() bool {
	t, known := sdk.Fact[takenUp](m.in, takenUpProbe)
	return known && !t.Pending && t.Settings == sdk.Digest(m.settings.dcs.body())
}
