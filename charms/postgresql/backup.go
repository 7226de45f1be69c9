package postgresql

import (
	"fmt"
	"time"

	"github.com/gantry-orchestrator/gantry/charms/sdk"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// backrestFile is pgBackRest's configuration for this member and the shared
// repository; without a repository it is a file that says so.
func (m *member) backrestFile(after []effect.ID) effect.ID {
	content := "# This application has no backup storage.\n"
	if repository, shared := m.repository(); shared {
		content = fmt.Sprintf("[global]\nrepo1-path=%s\nrepo1-retention-full-type=time\nrepo1-retention-full=%d\nrepo1-bundle=y\ncompress-type=zst\nstart-fast=y\nlog-level-console=warn\nlog-level-file=off\nlock-path=%s\n\n[%s]\npg1-path=%s\npg1-socket-path=%s\npg1-user=operator\n",
			repository, m.settings.retention, m.socketDir(), m.in.Spec.Unit.Application, m.dataDir(), m.socketDir())
	}
	return m.b.File(effect.File{
		Path: m.backrest(), Mode: 0o640, Owner: m.user(), Group: m.user(), Content: sdk.Text(content), After: after,
	})
}

// command is pgBackRest for this member.
func (m *member) command() string {
	return fmt.Sprintf("pgbackrest --config=%s --stanza=%s", m.backrest(), m.in.Spec.Unit.Application)
}

// archiveCommand keeps WAL in the repository once it is ready for this
// cluster, and until then drops it.
func (m *member) archiveCommand() string {
	if !m.stanzaDone() {
		return "/bin/true"
	}
	return m.command() + " archive-push %p"
}

// stanzaDone reports whether a member has prepared the repository for this
// epoch's cluster.
func (m *member) stanzaDone() bool {
	if _, shared := m.repository(); !shared {
		return false
	}
	want := fmt.Sprint(m.epoch.Number)
	if m.stanzaRecord() == want {
		return true
	}
	for _, p := range sdk.Peers(m.in) {
		if p.Bag["stanza"] == want {
			return true
		}
	}
	return false
}

// stanzaRecord is the epoch for which this unit prepared the repository.
func (m *member) stanzaRecord() string {
	v, _ := sdk.RecordOf(m.in, effect.UnitScope, m.stanzaTask())
	return v
}

func (m *member) stanzaTask() string { return fmt.Sprint("task/stanza-", m.epoch.Number) }

// backups prepares the repository, once, and then makes what the schedule says;
// both on the primary.
func (m *member) backups() {
	_, shared := m.repository()
	switch {
	case !shared || !m.isPrimary():
	case m.stanzaDone():
		m.scheduled()
	default:
		m.prepare()
	}
}

// scheduled makes the backup that was due last, unless one was made since, and
// comes back for the next. Another primary that finds the same one due finds
// it made.
func (m *member) scheduled() {
	if next, found := m.settings.schedule.Next(m.in.Now); found {
		m.b.Revisit(next)
	}
	due, kind, found := m.settings.schedule.Last(m.in.Now)
	if !found {
		return
	}
	m.b.Task(effect.Task{
		ID: "task/backup", Key: fmt.Sprint(m.epoch.Number, "/", due.Format(time.RFC3339)),
		Run: effect.Exec{
			Call: callBackup, User: m.user(),
			Args: m.args("config", m.backrest(), "stanza", string(m.in.Spec.Unit.Application), "type", kind, "due", due.Format(time.DateTime)),
		},
		After:      []effect.ID{serviceID, patroniYML},
		Idempotent: true,
		Timeout:    6 * time.Hour,
	})
}

func (m *member) prepare() {
	m.b.Task(effect.Task{
		ID: effect.ID(m.stanzaTask()), Key: fmt.Sprint(m.epoch.Number),
		Run: effect.Exec{
			Call: callStanza, User: m.user(),
			Args: m.args("config", m.backrest(), "stanza", string(m.in.Spec.Unit.Application), "epoch", fmt.Sprint(m.epoch.Number)),
		},
		After:      []effect.ID{serviceID, patroniYML},
		Result:     effect.PublicResult,
		Idempotent: true,
		Timeout:    2 * time.Minute,
	})
}
