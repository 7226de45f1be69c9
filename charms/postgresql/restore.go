package postgresql

import (
	"fmt"
	"time"

	"github.com/gantry-orchestrator/gantry/charms/sdk"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

const restoreOrder = "restore"

// The stages of a restore, as charm.yaml declares them.
const (
	stageVerify = "verify"
	stageStop   = "stop"
	stageWipe   = "wipe"
	stageFound  = "found"
	stageJoin   = "join"
	stageCheck  = "check"
)

// restoring is the open restore, or nil.
func (m *member) restoring() *effect.Order {
	if o := m.in.Live.Order; o != nil && o.Name == restoreOrder {
		return o
	}
	return nil
}

// incarnation is the stamp that the member's data should have now.
func (m *member) incarnation() string {
	if o := m.restoring(); o != nil && m.wiped(o) {
		return o.ID
	}
	return m.epoch.Incarnation
}

// wiped reports whether the order's stage asks for empty data.
func (m *member) wiped(o *effect.Order) bool {
	return o.Stage != stageVerify && o.Stage != stageStop
}

// restored reports whether the order's epoch is committed.
func (m *member) restored(o *effect.Order) bool { return m.epoch.Incarnation == o.ID }

func (m *member) stoppedForRestore(o *effect.Order) bool {
	switch o.Stage {
	case stageVerify:
		return false
	case stageStop, stageWipe:
		return true
	case stageFound:
		return !m.restored(o) || !m.founds()
	default:
		return false
	}
}

// restore carries out the order's stage and says when this member has: it is
// then active, for an order goes on only from members that have settled. What
// it published stays, or it would not count as a member until it has begun.
func (m *member) restore(o *effect.Order) model.Status {
	m.publishMember()
	if o.Stage == stageVerify {
		if found, known := sdk.Fact[string](m.in, m.verify(o)); known && found != "true" {
			return sdk.Blocked("restore %s: %s; nothing was changed: gantry order cancel %s", o.ID, found, m.in.Spec.Unit.Application)
		}
	}
	if !m.reached(o) {
		return sdk.Maintenance("restore %s: %s", o.ID, o.Stage)
	}
	m.b.Reached(o.Stage)
	return sdk.Active("restore %s: %s is done", o.ID, o.Stage)
}

func (m *member) reached(o *effect.Order) bool {
	switch o.Stage {
	case stageVerify:
		found, known := sdk.Fact[string](m.in, backupProbe)
		return known && found == "true"
	case stageStop:
		return !m.known
	case stageWipe:
		return m.volume.Incarnation == o.ID
	case stageFound:
		return m.found(o)
	case stageJoin, stageCheck:
		return m.running()
	}
	return false
}

// found begins the order's epoch: the leader names itself, and the founder
// restores the backup and is promoted.
func (m *member) found(o *effect.Order) (done bool) {
	if !m.restored(o) {
		if m.in.Live.Leader {
			m.propose(epoch{Number: m.epoch.Number + 1, Founder: m.in.Spec.Unit, Incarnation: o.ID, Consensus: m.epoch.Consensus})
		}
		return false
	}
	return !m.founds() || m.isPrimary()
}

// verify is the probe that finds the backup which the order starts from.
func (m *member) verify(o *effect.Order) effect.ProbeID {
	return m.b.Probe(effect.Probe{
		ID: backupProbe, Interval: 5 * time.Second, Timeout: 30 * time.Second,
		Exec: &effect.Exec{Call: callVerify, User: m.user(), Args: m.args(
			"config", m.backrest(), "stanza", string(m.in.Spec.Unit.Application),
			"time", o.Params["restore-to-time"], "backup", o.Params["backup-id"])},
	})
}

// bootstrapFromBackup is Patroni's custom bootstrap: pgBackRest fills the data
// directory and PostgreSQL replays to the target and promotes.
func (m *member) bootstrapFromBackup(o *effect.Order) string {
	command := m.command()
	if id := o.Params["backup-id"]; id != "" {
		command += " --set=" + id
	}
	if target := o.Params["restore-to-time"]; target != "" {
		command += fmt.Sprintf(" --type=time --target=%q --target-action=promote", target+"+00")
	}
	return "  method: pgbackrest\n  pgbackrest: {no_params: true, keep_existing_recovery_conf: true, command: " + quote(command+" restore") + "}\n"
}
