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
	callConfigured = "configured"
	callTakenUp    = "taken-up"
	callRestart    = "restart"
	callSwitchover = "switchover"
	callLeave      = "leave"
	callStanza     = "stanza"
	callBackup     = "backup"
	callVerify     = "verify-backup"
	callDatabase   = "database"
	callDropUser   = "drop-user"
	callMonitoring = "monitoring"
	callPasswords  = "passwords"
	callShow       = "show-certificate"
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
	return own["member"] == fmt.Sprint(m.epoch.Number) && !sdk.Granted(m.in, m.joinTurn())
}

// joinTurn is the turn of joining: within a restore it is the restore's own,
// as all others wait until an order is closed.
func (m *member) joinTurn() string {
	if m.restoring() != nil {
		return restoreOrder + "/" + turnMembership
	}
	return turnMembership
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
		Turn:       &effect.Turn{Name: m.joinTurn(), Limit: 1, Rank: m.in.Spec.Unit.Number, Clear: m.memberCleared()},
		After:      after,
		Idempotent: true,
		Timeout:    time.Minute,
	})
}

// membershipTurn is held by a member from its first step out of the cluster
// until it is let go, so that one at a time leaves.
func (m *member) membershipTurn() *effect.Turn {
	return &effect.Turn{Name: turnMembership, Limit: 1, Rank: m.in.Spec.Unit.Number}
}

// depart takes the member out of the cluster: a primary hands over, the
// service stops, and only when no member lists it any more is the unit let go.
func (m *member) depart() model.Status {
	self := m.in.Spec.Unit
	switch {
	case len(m.members()) > 0:
	case m.foundsWithOthers():
		m.b.Hold(self, "the cluster that it founds has no other member yet")
		return sdk.Maintenance("founding the cluster before it leaves")
	default:
		return sdk.Active("the last member") // nobody is left to leave
	}
	if !m.standsDown() || m.isPrimary() {
		return m.handOver()
	}
	listed := m.listedProbe() // wanted to the end: its fact goes when it does
	if m.left() {
		return sdk.Maintenance("left the cluster")
	}
	m.b.Hold(self, "the other members still list it as a voter")
	m.b.Task(effect.Task{
		ID: "task/leave", Key: fmt.Sprint(m.epoch.Number),
		Run:    effect.Exec{Call: callLeave, Args: m.args("partner", m.members()[0].Address, "address", m.in.Spec.Address), User: m.user()},
		After:  []effect.ID{serviceID},
		Turn:   m.membershipTurn(),
		Yields: map[effect.ProbeID]string{listed: "false"}, Idempotent: true, Timeout: 2 * time.Minute,
	})
	return sdk.Maintenance("leaving the cluster")
}

// handOver makes the member a standby, and records that it is one: from then
// on it never serves again.
func (m *member) handOver() model.Status {
	self := m.in.Spec.Unit
	switch {
	case m.isPrimary():
		m.b.Hold(self, "it is the primary and hands over first")
		m.b.Task(effect.Task{
			ID: "task/hand-over", Key: fmt.Sprint(m.epoch.Number, "/", m.observed.Timeline),
			Run:  effect.Exec{Call: callSwitchover, Args: m.args("address", m.in.Spec.Address, "stay", m.stay()), User: m.user()},
			Turn: m.membershipTurn(), Idempotent: true, Timeout: 2 * time.Minute,
		})
		return sdk.Maintenance("handing over to a standby")
	case m.running() && !m.observed.NoFailover && m.anyStays():
		m.b.Hold(self, "the others are told first that it is no candidate")
		return sdk.Maintenance("withdrawing as a candidate")
	case m.running():
		m.b.Hold(self, "PostgreSQL is to stop")
		m.b.Record(effect.UnitScope, m.standDownRecord(), "yes")
		return sdk.Maintenance("standing down")
	default:
		m.b.Hold(self, "PostgreSQL does not answer: it may be the primary")
		return sdk.Waiting("for PostgreSQL to say whether it is the primary")
	}
}

func (m *member) standDownRecord() string { return fmt.Sprint("stand-down/", m.epoch.Number) }

// standsDown reports whether the member, known to be a standby, leaves.
func (m *member) standsDown() bool {
	_, recorded := sdk.RecordOf(m.in, effect.UnitScope, m.standDownRecord())
	return m.leaving() && recorded
}

// listedProbe asks another member whether it still lists this one.
func (m *member) listedProbe() effect.ProbeID {
	return m.b.Probe(effect.Probe{
		ID: listedProbe, Interval: 2 * time.Second, Timeout: 10 * time.Second,
		Exec: &effect.Exec{Call: callListed, Args: m.args("partner", m.members()[0].Address, "address", m.in.Spec.Address), User: m.user()},
	})
}

// left reports whether no member lists this one any more.
func (m *member) left() bool {
	listed, known := sdk.Fact[bool](m.in, listedProbe)
	return known && !listed
}

// stopped reports whether the service should stand still now. Of two members
// both are needed for the removal of one: that one stops after it, unless the
// consensus is elsewhere, which lists a member until it has stopped.
func (m *member) stopped() bool {
	if order := m.restoring(); order != nil {
		return m.stoppedForRestore(order)
	}
	return m.standsDown() && !m.isPrimary() && (m.epoch.inEtcd() || len(m.members()) > 1 || m.left())
}
