package postgresql

import (
	"fmt"
	"time"

	"github.com/gantry-orchestrator/gantry/charms/sdk"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// The calls of the charm; internal/operate carries them out.
const (
	callAdmit      = "admit"
	callMember     = "member"
	callListed     = "listed"
	callConfigure  = "configure"
	callRestart    = "restart"
	callSwitchover = "switchover"
	callLeave      = "leave"
	callStanza     = "stanza"
	callVerify     = "verify-backup"
	callDatabase   = "database"
	callDropUser   = "drop-user"
)

// turnMembership lets one member at a time join or leave, turnRestart be
// restarted.
const (
	turnMembership = "membership"
	turnRestart    = "restart"
)

// joined reports whether the member has published that it belongs to the
// epoch's cluster, and holds no turn for that any more.
func (m *member) joined() bool {
	own := sdk.Published(m.in, m.peers.ID).Unit
	return own["member"] == fmt.Sprint(m.epoch.Number) && !sdk.Granted(m.in, turnMembership)
}

// join is the task after which a member that does not found may start: it has
// its turn, and the cluster that it joins has a quorum. It is "" while no
// member is up.
func (m *member) join(after []effect.ID) effect.ID {
	members := m.members()
	if len(members) == 0 {
		return ""
	}
	return m.b.Task(effect.Task{
		ID: "task/join", Key: fmt.Sprint(m.epoch.Number),
		Run:        effect.Exec{Call: callAdmit, Args: m.args("address", members[0].Address), User: m.user()},
		Turn:       &effect.Turn{Name: turnMembership, Limit: 1, Rank: m.in.Spec.Unit.Number, Clear: m.memberCleared()},
		After:      after,
		Idempotent: true,
		Timeout:    time.Minute,
	})
}

// depart takes the member out of the cluster: a primary hands over, the
// service stops, and only when no member lists it any more is the unit let go.
func (m *member) depart() model.Status {
	self := m.in.Spec.Unit
	members := m.members()
	if len(members) == 0 {
		return sdk.Active("the last member") // nobody is left to leave
	}
	partner := members[0].Address
	listed, known := sdk.Fact[bool](m.in, m.b.Probe(effect.Probe{
		ID: listedProbe, Interval: 2 * time.Second, Timeout: 10 * time.Second,
		Exec: &effect.Exec{Call: callListed, Args: m.args("partner", partner, "address", m.in.Spec.Address), User: m.user()},
	}))
	turn := &effect.Turn{Name: turnMembership, Limit: 1, Rank: self.Number}
	switch {
	case known && !listed:
		return sdk.Maintenance("left the cluster")
	case m.isPrimary():
		m.b.Hold(self, "it is the primary and hands over first")
		m.b.Task(effect.Task{
			ID: "task/hand-over", Key: fmt.Sprint(m.epoch.Number, "/", m.observed.Timeline),
			Run:  effect.Exec{Call: callSwitchover, Args: m.args("address", m.in.Spec.Address), User: m.user()},
			Turn: turn, Idempotent: true, Timeout: 2 * time.Minute,
		})
		return sdk.Maintenance("handing over to a standby")
	case m.stopsFirst() && m.known && m.observed.State != "":
		m.b.Hold(self, "PostgreSQL is stopping")
		return sdk.Maintenance("stopping")
	default:
		m.b.Hold(self, "the other members still list it as a voter")
		m.b.Task(effect.Task{
			ID: "task/leave", Key: fmt.Sprint(m.epoch.Number),
			Run:  effect.Exec{Call: callLeave, Args: m.args("partner", partner, "address", m.in.Spec.Address), User: m.user()},
			Turn: turn, Yields: map[effect.ProbeID]string{listedProbe: "false"}, Idempotent: true, Timeout: 2 * time.Minute,
		})
		return sdk.Maintenance("leaving the cluster")
	}
}

// stopsFirst reports whether the member stops before it is removed as a voter.
// Of two members both are needed for the removal, so that the last but one
// stops after it.
func (m *member) stopsFirst() bool { return len(m.members()) > 1 }

// stopped reports whether the service should stand still now.
func (m *member) stopped() bool {
	if order := m.restoring(); order != nil {
		return m.stoppedForRestore(order)
	}
	if !m.leaving() || len(m.members()) == 0 {
		return false
	}
	listed, known := sdk.Fact[bool](m.in, listedProbe)
	if known && !listed {
		return true
	}
	return m.stopsFirst() && m.known && !m.isPrimary()
}
