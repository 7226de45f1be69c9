package state

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"github.com/gantry-orchestrator/gantry/model"
)

// backupsKept is how many backups are remembered.
const backupsKept = 64

// indexStep is how far a restored log begins above the backup's index: above
// whatever the lost log had come to, so that a token of a lease, a claim or a
// turn that it granted is never granted again.
const indexStep = 1 << 32

// Backups returns what is remembered of backups, and of the restore that this
// state came out of. It is not to be written to.
func (s State) Backups() model.Backups { return s.head.Backups }

// Epoch returns the life of the control plane that this state is of.
func (s State) Epoch() model.Epoch {
	if r := s.head.Backups.Restored; r != nil {
		return r.Epoch
	}
	return model.Epoch{}
}

// Begins is the index at which this life of the control plane begins: what is
// before it is another's.
func (s State) Begins() uint64 {
	if r := s.head.Backups.Restored; r != nil {
		return r.Index + indexStep
	}
	return 0
}

// Restored returns the state with which a control plane begins anew after its
// controllers were lost: of a higher epoch, at a higher index, and without the
// controllers that were, which do not come back under their IDs. Id is random.
func (s State) Restored(backup, id string, now time.Time) State {
	number := max(s.Epoch().Number+1, uint64(now.UnixMilli()))
	restoration := &model.Restoration{
		Epoch: model.Epoch{Number: number, ID: id}, Time: now.UTC(), Backup: backup,
		Index: s.head.Index, Revision: s.head.Revision, Open: true,
	}
	forked := *s.content
	w := &writer{State: State{&forked}}
	for _, t := range w.tables() {
		t.fork()
	}
	w.begin(&Command{})
	w.head.Index += indexStep
	w.head.Disturbed = w.head.Index
	w.head.Backups.Restored = restoration
	for _, c := range w.Controllers() {
		c.Left = now.UTC()
		put(w, &w.controllers, c)
	}
	for _, a := range w.answers.under(nil) {
		a.ModifyIndex += indexStep // else they would be too old, and a retry a new change
		w.answers.set(answerKey(a.Key), &a)
	}
	for _, t := range w.tables() {
		t.commit()
	}
	return w.State
}

// ModelDigest is the SHA-256 of all rows of a model, in hex. Two states with
// the same digest hold the same model, to the index of each row.
func (s State) ModelDigest(m model.ModelName) string {
	sum := sha256.New()
	enc := encMode.NewEncoder(sum)
	for _, t := range s.tables() {
		must(struct{}{}, t.encodeModel(enc, m))
	}
	return hex.EncodeToString(sum.Sum(nil))
}

func (t *table[T]) encodeModel(enc *encoder, m model.ModelName) error {
	for _, row := range t.under(radixKey(m, "")) {
		if err := enc.Encode(row); err != nil {
			return fmt.Errorf("encode %s rows: %w", t.table, err)
		}
	}
	return nil
}

// NoteBackup keeps what is remembered of backups. Exactly one field is set.
type NoteBackup struct {
	Made      *model.Backup         `json:"made,omitempty"`
	Drilled   *model.Drill          `json:"drilled,omitempty"`
	Scheduled *model.BackupSchedule `json:"scheduled,omitempty"` // without Every the schedule ends
	Dropped   string                `json:"dropped,omitempty"`   // ID of a backup that is no more
	Settled   bool                  `json:"settled,omitempty"`   // what is newer than the restored backup may go
}

func (o NoteBackup) summary() string {
	switch {
	case o.Made != nil:
		return "note backup " + o.Made.ID
	case o.Drilled != nil:
		return "note a drill of backup " + o.Drilled.Backup
	case o.Scheduled != nil && o.Scheduled.Every > 0:
		return fmt.Sprintf("back up every %v to %s", o.Scheduled.Every, o.Scheduled.Dir)
	case o.Scheduled != nil:
		return "end the schedule of backups"
	case o.Settled:
		return "let go of what is newer than the restored backup"
	default:
		return "drop backup " + o.Dropped
	}
}

func (o NoteBackup) apply(w *writer) error {
	next := w.head.Backups
	next.Kept = slices.Clone(next.Kept)
	at := func(id string) int {
		return slices.IndexFunc(next.Kept, func(b model.Backup) bool { return b.ID == id })
	}
	switch {
	case o.Made != nil:
		if at(o.Made.ID) >= 0 {
			return fmt.Errorf("backup %s is known: %w", o.Made.ID, model.ErrConflict)
		}
		next.Kept = append(next.Kept, *o.Made)
		next.Kept = next.Kept[max(0, len(next.Kept)-backupsKept):]
	case o.Drilled != nil:
		i := at(o.Drilled.Backup)
		if i < 0 {
			return fmt.Errorf("backup %s: see gantry backup list: %w", o.Drilled.Backup, model.ErrNotFound)
		}
		next.Kept[i].Drill = o.Drilled
	case o.Scheduled != nil:
		next.Schedule = o.Scheduled
		if o.Scheduled.Every <= 0 {
			next.Schedule = nil
		}
	case o.Settled:
		if next.Restored == nil || !next.Restored.Open {
			return fmt.Errorf("no restore waits for a decision: %w", model.ErrConflict)
		}
		settled := *next.Restored
		settled.Open = false
		next.Restored = &settled
	default:
		next.Kept = slices.DeleteFunc(next.Kept, func(b model.Backup) bool { return b.ID == o.Dropped })
	}
	w.head.Backups = next
	return nil
}
