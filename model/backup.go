package model

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Epoch numbers the lives of a control plane: a restore from a backup begins
// the next. Of two controllers with the same authority the one of the lower
// epoch was superseded, and nobody who has heard of the higher one obeys it.
// The zero value is the first life.
type Epoch struct {
	Number uint64 `json:"number"` // milliseconds since 1970 of the restore, or one more than before where that is higher
	ID     string `json:"id"`     // random: two restores of one backup are two epochs, also at the same moment
}

// IsZero reports whether it is the first life.
func (e Epoch) IsZero() bool { return e == Epoch{} }

// Obeys reports whether who has heard of known obeys a controller of epoch e.
func (e Epoch) Obeys(known Epoch) bool { return e.Number > known.Number || e == known }

// String writes "NUMBER-ID", and the first life as "".
func (e Epoch) String() string {
	if e.IsZero() {
		return ""
	}
	return strconv.FormatUint(e.Number, 10) + "-" + e.ID
}

// ParseEpoch reads what String wrote.
func ParseEpoch(text string) (e Epoch, err error) {
	if text == "" {
		return e, nil
	}
	number, id, ok := strings.Cut(text, "-")
	if e.Number, err = strconv.ParseUint(number, 10, 64); err != nil || !ok || id == "" || e.Number == 0 {
		return Epoch{}, fmt.Errorf("epoch %q: expected NUMBER-ID: %w", text, ErrInvalid)
	}
	e.ID = id
	return e, nil
}

// Restoration is how a control plane came out of a backup.
type Restoration struct {
	Epoch    Epoch     `json:"epoch"`
	Time     time.Time `json:"time"`
	Backup   string    `json:"backup"` // sha256 of the archive
	Index    uint64    `json:"index"`  // of the state in it
	Revision uint64    `json:"revision"`
	// Open is a restore that is not settled yet: machines and units that the
	// state does not know are newer than the backup, and are let be.
	Open bool `json:"open,omitempty"`
}

// Backup is an archive that was made, as the control plane remembers it.
type Backup struct {
	ID         string    `json:"id"` // the first of the archive's sha256
	SHA256     string    `json:"sha256"`
	Time       time.Time `json:"time"`
	Index      uint64    `json:"index"`
	Revision   uint64    `json:"revision"`
	Size       int64     `json:"size"`
	Sealed     bool      `json:"sealed"` // its keys are encrypted
	Author     string    `json:"author"`
	Controller string    `json:"controller,omitempty"` // where Path is; empty where the archive went to its author
	Path       string    `json:"path,omitempty"`
	Drill      *Drill    `json:"drill,omitempty"` // the last one
}

// Drill is a restore of a backup that was tried.
type Drill struct {
	Backup string        `json:"backup"` // ID
	Time   time.Time     `json:"time"`
	Took   time.Duration `json:"took"`
	Age    time.Duration `json:"age"`             // of the backup at that time
	Fault  string        `json:"fault,omitempty"` // why it cannot be restored; "" where it can
}

// BackupSchedule is when backups are made, where to, and how many are kept.
type BackupSchedule struct {
	Every      time.Duration `json:"every"`
	Keep       int           `json:"keep"`
	Dir        string        `json:"dir"`                  // on each controller's host
	Recipients []string      `json:"recipients,omitempty"` // age public keys that open the archives' keys
}

// Backups is what the control plane remembers of its backups.
type Backups struct {
	Schedule *BackupSchedule `json:"schedule,omitempty"`
	Kept     []Backup        `json:"kept,omitempty"` // oldest first
	Restored *Restoration    `json:"restored,omitempty"`
}
