package controller

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/gantry-orchestrator/gantry/engine/backup"
	"github.com/gantry-orchestrator/gantry/engine/backup/archive"
	"github.com/gantry-orchestrator/gantry/engine/consensus"
	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

// backupLook is how often a leader looks whether a backup is due.
const backupLook = 5 * time.Second

// vault makes and tries backups. It implements api.Backups.
type vault struct {
	node        *consensus.Node
	dir         string // of the controller
	id, version string
	newer       func() []string
	log         *slog.Logger

	mu      sync.Mutex
	trouble string // why the last scheduled backup was not made
}

// Create implements api.Backups.
func (v *vault) Create(ctx context.Context, r operator.CreateBackup, to io.Writer) (model.Backup, error) {
	seal, err := archive.NewSeal(r.Passphrase, r.Recipients)
	if err != nil {
		return model.Backup{}, err
	}
	source, err := v.source(ctx)
	if err != nil {
		return model.Backup{}, err
	}
	w, err := backup.Write(ctx, to, source, seal)
	return noted(w), err
}

// source is the state after all that was acknowledged.
func (v *vault) source(ctx context.Context) (backup.Source, error) {
	st, err := v.node.Read(ctx)
	return backup.Source{Dir: v.dir, State: st, Controller: v.id, Version: v.version, Now: time.Now()}, err
}

func noted(w archive.Written) model.Backup {
	return model.Backup{
		ID: archive.ID(w.SHA256), SHA256: w.SHA256, Time: w.Manifest.Time, Index: w.Manifest.Index,
		Revision: w.Manifest.Revision, Size: w.Size, Sealed: w.Manifest.Sealed,
	}
}

// Drill implements api.Backups.
func (v *vault) Drill(ctx context.Context, from io.Reader) (model.Drill, error) {
	buffered := bufio.NewReader(from)
	if _, err := buffered.Peek(1); errors.Is(err, io.EOF) {
		return v.drillNewest(ctx)
	}
	f, err := os.CreateTemp(v.dir, ".drill-archive-*") // mode 0600
	if err != nil {
		return model.Drill{}, fmt.Errorf("drill: %w", err)
	}
	defer os.Remove(f.Name())
	defer f.Close()
	if _, err := io.Copy(f, buffered); err != nil {
		return model.Drill{}, fmt.Errorf("drill: receive the archive: %w", err)
	}
	return v.drill(ctx, f.Name(), "")
}

func (v *vault) drillNewest(ctx context.Context) (model.Drill, error) {
	kept := slices.Clone(v.node.State().Backups().Kept)
	slices.Reverse(kept)
	for _, b := range kept {
		if b.Path != "" && b.Controller == v.id {
			return v.drill(ctx, b.Path, b.ID)
		}
	}
	return model.Drill{}, fmt.Errorf("this controller keeps no backup: name a file, or schedule backups: %w", model.ErrNotFound)
}

// drill tries a file and notes how that went, where the backup is known. A
// damaged file does not say which it was: the caller may.
func (v *vault) drill(ctx context.Context, path, id string) (model.Drill, error) {
	_, d, err := backup.Drill(ctx, path, v.dir, archive.Opener{}, v.log)
	if err != nil {
		return d, err
	}
	if d.Backup == "" {
		d.Backup = id
	}
	if d.Fault != "" {
		v.log.Error("a backup FAILED its drill", "archive", path, "backup", d.Backup, "fault", d.Fault)
	} else {
		v.log.Info("a backup passed its drill", "backup", d.Backup, "took", d.Took, "age", d.Age)
	}
	known := func(b model.Backup) bool { return b.ID == d.Backup }
	if !slices.ContainsFunc(v.node.State().Backups().Kept, known) {
		return d, nil
	}
	return d, v.note(ctx, state.NoteBackup{Drilled: &d})
}

func (v *vault) note(ctx context.Context, op state.NoteBackup) error {
	outcomes, err := v.node.Propose(ctx, state.Command{Origin: state.Agents, Author: "controller/" + v.id, Ops: []state.Op{op}})
	if err != nil {
		return err
	}
	return outcomes[0].Err
}

// Alarms implements api.Backups.
func (v *vault) Alarms(st state.State) (alarms, newer []string) {
	v.mu.Lock()
	trouble := v.trouble
	v.mu.Unlock()
	b := st.Backups()
	if trouble != "" {
		alarms = append(alarms, "the scheduled backup was not made: "+trouble)
	}
	if len(b.Kept) == 0 {
		alarms = append(alarms, "there is no backup: run gantry backup create, or gantry backup schedule")
	} else if last := b.Kept[len(b.Kept)-1]; b.Schedule != nil && time.Since(last.Time) > 2*b.Schedule.Every {
		alarms = append(alarms, fmt.Sprintf("a backup is overdue: the last was at %s", last.Time.Format(time.RFC3339)))
	}
	for _, one := range b.Kept {
		if one.Drill != nil && one.Drill.Fault != "" {
			alarms = append(alarms, fmt.Sprintf("backup %s FAILED its drill: %s", one.ID, one.Drill.Fault))
		}
	}
	if b.Restored != nil && b.Restored.Open {
		newer = v.newer()
	}
	return alarms, newer
}

// lead makes the backups of the schedule while this controller leads.
func (v *vault) lead(ctx context.Context) error {
	tick := time.NewTicker(backupLook)
	defer tick.Stop()
	for {
		if b := v.node.State().Backups(); due(b, time.Now()) {
			err := v.scheduled(ctx, *b.Schedule)
			if ctx.Err() != nil {
				return nil
			}
			v.mu.Lock()
			if v.trouble = ""; err != nil {
				v.trouble = err.Error()
				v.log.Error("a scheduled backup was not made, will try again", "error", err)
			}
			v.mu.Unlock()
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// due reports whether the schedule asks for a backup.
func due(b model.Backups, now time.Time) bool {
	if b.Schedule == nil {
		return false
	}
	for _, one := range b.Kept {
		if one.Path != "" && now.Sub(one.Time) < b.Schedule.Every {
			return false
		}
	}
	return true
}

// scheduled makes one backup, tries it, and lets go of those that are too many.
func (v *vault) scheduled(ctx context.Context, schedule model.BackupSchedule) error {
	seal, err := archive.NewSeal("", schedule.Recipients)
	if err != nil {
		return err
	}
	if !seal.Seals() {
		v.log.Warn("the scheduled backup holds the controller's keys unsealed: give gantry backup schedule a --recipient", "dir", schedule.Dir)
	}
	source, err := v.source(ctx)
	if err != nil {
		return err
	}
	path, w, err := backup.Make(ctx, schedule.Dir, source, seal)
	if err != nil {
		return err
	}
	made := noted(w)
	made.Author, made.Controller, made.Path = "controller/"+v.id, v.id, path
	if err := v.note(ctx, state.NoteBackup{Made: &made}); err != nil {
		return err
	}
	if _, err := v.drill(ctx, path, made.ID); err != nil {
		return err
	}
	return v.prune(ctx, schedule)
}

func (v *vault) prune(ctx context.Context, schedule model.BackupSchedule) error {
	if _, err := archive.Prune(schedule.Dir, schedule.Keep, time.Now()); err != nil {
		return err
	}
	for _, b := range v.node.State().Backups().Kept {
		if b.Path == "" || b.Controller != v.id || filepath.Dir(b.Path) != filepath.Clean(schedule.Dir) {
			continue
		}
		if _, err := os.Stat(b.Path); errors.Is(err, os.ErrNotExist) {
			if err := v.note(ctx, state.NoteBackup{Dropped: b.ID}); err != nil {
				return err
			}
		}
	}
	return nil
}
