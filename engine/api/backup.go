package api

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

// Backups makes and tries archives of the control plane.
type Backups interface {
	// Create writes an archive of all that was acknowledged before.
	Create(ctx context.Context, r operator.CreateBackup, to io.Writer) (model.Backup, error)
	// Drill tries an archive, or where there are no bytes the newest one that
	// is kept here, and notes how that went.
	Drill(ctx context.Context, archive io.Reader) (model.Drill, error)
	// Alarms are what a person must look at; newer is what runs and is not known.
	Alarms(st state.State) (alarms, newer []string)
}

// leastInterval keeps a schedule from being all that a controller does.
const leastInterval = time.Minute

var errNoBackups = fmt.Errorf("this controller makes no backups: %w", model.ErrUnavailable)

// CreateBackup writes an archive and notes that it was made.
func (s *Service) CreateBackup(ctx context.Context, r operator.CreateBackup, to io.Writer) (model.Backup, error) {
	who, err := caller(ctx, Superuser, "")
	if err != nil {
		return model.Backup{}, err
	}
	if s.c.Backups == nil {
		return model.Backup{}, errNoBackups
	}
	made, err := s.c.Backups.Create(ctx, r, to)
	if err != nil {
		return made, err
	}
	made.Author = who.String()
	_, err = s.said(ctx, who, state.NoteBackup{Made: &made})
	return made, err
}

// ListBackups returns what is known of backups.
func (s *Service) ListBackups(ctx context.Context) (operator.Backups, error) {
	if _, err := caller(ctx, Superuser, ""); err != nil {
		return operator.Backups{}, err
	}
	st, err := s.log.Read(ctx)
	if err != nil {
		return operator.Backups{}, err
	}
	out := operator.Backups{Backups: st.Backups()}
	if s.c.Backups != nil {
		out.Alarms, out.Newer = s.c.Backups.Alarms(st)
	}
	return out, nil
}

// ScheduleBackups replaces the schedule; one without Every ends it.
func (s *Service) ScheduleBackups(ctx context.Context, schedule model.BackupSchedule) error {
	who, err := caller(ctx, Superuser, "")
	if err != nil {
		return err
	}
	if schedule.Every > 0 {
		switch {
		case schedule.Every < leastInterval:
			return fmt.Errorf("back up every %v: the least is %v: %w", schedule.Every, leastInterval, model.ErrInvalid)
		case schedule.Keep < 1:
			return fmt.Errorf("keep %d backups: keep at least one: %w", schedule.Keep, model.ErrInvalid)
		case !filepath.IsAbs(schedule.Dir):
			return fmt.Errorf("back up to %q: expected an absolute path on the controllers' hosts: %w", schedule.Dir, model.ErrInvalid)
		}
	}
	_, err = s.said(ctx, who, state.NoteBackup{Scheduled: &schedule})
	return err
}

// DrillBackup tries an archive.
func (s *Service) DrillBackup(ctx context.Context, archive io.Reader) (model.Drill, error) {
	if _, err := caller(ctx, Superuser, ""); err != nil {
		return model.Drill{}, err
	}
	if s.c.Backups == nil {
		return model.Drill{}, errNoBackups
	}
	return s.c.Backups.Drill(ctx, archive)
}

// SettleRestore lets go of what is newer than the backup that this control
// plane came out of.
func (s *Service) SettleRestore(ctx context.Context) error {
	who, err := caller(ctx, Superuser, "")
	if err != nil {
		return err
	}
	_, err = s.said(ctx, who, state.NoteBackup{Settled: true})
	return err
}
