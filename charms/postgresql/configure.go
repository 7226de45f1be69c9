package postgresql

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/gantry-orchestrator/gantry/charms/sdk"
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
	key := digest(body)
	configure := effect.Task{
		ID: "task/configure", Key: key, Scope: effect.ApplicationScope,
		Run:        effect.Exec{Call: callConfigure, Args: m.args("address", m.in.Spec.Address, "body", body), User: m.user()},
		After:      []effect.ID{serviceID},
		Idempotent: true,
		Timeout:    time.Minute,
	}
	if m.in.Live.Leader {
		// A rollback comes back to a key that was done: what counts is what
		// the consensus holds.
		configure.Yields = map[effect.ProbeID]string{m.b.Probe(effect.Probe{
			ID: configuredProbe, Interval: 10 * time.Second,
			Exec: &effect.Exec{Call: callConfigured, Args: m.args("address", m.in.Spec.Address), User: m.user()},
		}): key}
	}
	m.b.Task(configure)
	if sdk.Granted(m.in, turnRestart) {
		m.memberCleared()
	}
	if !m.observed.PendingRestart {
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

func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:6])
}
