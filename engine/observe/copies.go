package observe

import (
	"fmt"
	"time"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

// copies judges the backups.
func copies(f Facts) []operator.Finding {
	one := operator.Finding{Check: "backups", Level: operator.FindingOK, Degrades: f.several()}
	newest, drilled := lastBackup(f.Backups), lastDrill(f.Backups)
	age := f.Now.Sub(newest.Time).Round(time.Minute)
	schedule := f.Backups.Schedule
	switch {
	case drilled != nil && drilled.Fault != "":
		one.Level = operator.FindingBad
		one.What = fmt.Sprintf("backup %s FAILED its drill: %s", drilled.Backup, drilled.Fault)
		one.Why = "it could not be restored"
		one.Do = "make another one and try it: gantry backup create, gantry backup verify"
	case f.BackupFault != "":
		one.Level = operator.FindingBad
		one.What = "the last backup that was due was not made: " + f.BackupFault
		one.Why = "the newest one grows old"
		one.Do = "see the directory of the schedule: gantry backup list"
	case schedule != nil && newest.Time.IsZero():
		one.What = "scheduled, none is due yet"
	case schedule != nil && f.Now.Sub(newest.Time) > 2*schedule.Every:
		one.Level = operator.FindingBad
		one.What = fmt.Sprintf("the newest backup is %v old, one is scheduled every %v", age, schedule.Every)
		one.Why = "what was changed since would be lost with all controllers"
		one.Do = "see the log of the leader, and gantry backup list"
	case schedule == nil && newest.Time.IsZero():
		one.Level, one.Degrades = operator.FindingWarn, false
		one.What = "there is none, and none is scheduled"
		one.Why = "with all controllers the model would be lost"
		one.Do = "gantry backup schedule"
	default:
		one.What = fmt.Sprintf("the newest is %v old", age)
	}
	return []operator.Finding{one}
}

func lastBackup(b model.Backups) (last model.Backup) {
	for _, one := range b.Kept {
		if one.Time.After(last.Time) {
			last = one
		}
	}
	return last
}

func lastDrill(b model.Backups) (last *model.Drill) {
	for _, one := range b.Kept {
		if d := one.Drill; d != nil && (last == nil || d.Time.After(last.Time)) {
			last = d
		}
	}
	return last
}

// past judges the history.
func past(f Facts) (found []operator.Finding) {
	for _, c := range f.Controllers {
		one := operator.Finding{
			Check: "history", Subject: c.Name, Level: operator.FindingWarn, Degrades: f.several(),
			Why: "changes go on; what happens now may be missing from gantry history later",
			Do:  "see the log and the disk of that controller",
		}
		switch {
		case c.Fault != "":
		case c.Vitals.HistoryBad != "":
			one.What = "the history cannot be written: " + c.Vitals.HistoryBad
			found = append(found, one)
		case c.Vitals.HistoryLag > historyWarn:
			one.What = fmt.Sprintf("%d rows wait to be written", c.Vitals.HistoryLag)
			found = append(found, one)
		}
	}
	return orOK(found, "history", "it is written as things happen")
}
