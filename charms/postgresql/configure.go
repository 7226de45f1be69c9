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
	m.b.Task(effect.Task{
		ID: "task/configure", Key: key, Scope: effect.ApplicationScope,
		Run:        effect.Exec{Call: callConfigure, Args: m.args("address", m.in.Spec.Address, "body", body), User: m.user()},
		After:      []effect.ID{serviceID},
		Idempotent: true,
		Timeout:    time.Minute,
	})
	if sdk.Granted(m.in, turnRestart) {
		m.memberCleared()
	}
	if !m.observed.PendingRestart {
		return
	}
	// A lowered limit stays pending on a standby until the primary has it: the
	// switchover for the primary's own restart starts a new timeline, on which
	// the standby may try again.
	m.b.Task(effect.Task{
		ID: "task/restart", Key: fmt.Sprint(key, "/", m.observed.Timeline),
		Run:        effect.Exec{Call: callRestart, Args: m.args("address", m.in.Spec.Address), User: m.user()},
		Needs:      []effect.ProbeID{statusProbe},
		Turn:       &effect.Turn{Name: turnRestart, Limit: 1, Rank: rank[m.observed.role()], Clear: m.memberCleared()},
		After:      []effect.ID{"task/configure"},
		Idempotent: true,
		Timeout:    3 * time.Minute,
	})
}

func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:6])
}
