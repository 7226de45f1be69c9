package operate

import (
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
	"time"
)

// Backrest is pgBackRest with this member's configuration.
type Backrest struct {
	Config string // path of pgbackrest.conf
	Stanza string
	User   string // that it runs as, which takes root; empty: this process's own
}

// Backup is one backup in the repository.
type Backup struct {
	Label string
	Type  string // full, diff or incr
	Stop  time.Time
	Size  int64 // bytes of the database
}

// Prepare makes the stanza. A repository that holds another cluster's backups
// is refused, not taken over.
func (b Backrest) Prepare(ctx context.Context) error {
	_, err := b.run(ctx, "stanza-create")
	if err != nil && strings.Contains(err.Error(), "[028]") {
		return fmt.Errorf("the repository holds the backups of another cluster: empty it or use another: %w", err)
	}
	return err
}

// Backup makes one of the given type: full, diff or incr.
func (b Backrest) Backup(ctx context.Context, kind string) (Backup, error) {
	if _, err := b.run(ctx, "--type="+kind, "backup"); err != nil {
		return Backup{}, err
	}
	all, err := b.List(ctx)
	if err != nil {
		return Backup{}, err
	}
	if len(all) == 0 {
		return Backup{}, fmt.Errorf("pgbackrest made a backup of %s and lists none", b.Stanza)
	}
	return all[len(all)-1], nil
}

// List is what the repository holds, the oldest first.
func (b Backrest) List(ctx context.Context) ([]Backup, error) {
	out, err := b.run(ctx, "--output=json", "info")
	if err != nil {
		return nil, err
	}
	var stanzas []struct {
		Name   string `json:"name"`
		Backup []struct {
			Label string `json:"label"`
			Type  string `json:"type"`
			Info  struct {
				Size int64 `json:"size"`
			} `json:"info"`
			Timestamp struct {
				Stop int64 `json:"stop"`
			} `json:"timestamp"`
		} `json:"backup"`
	}
	if err := json.Unmarshal([]byte(out), &stanzas); err != nil {
		return nil, fmt.Errorf("pgbackrest info: %w", err)
	}
	var all []Backup
	for _, s := range stanzas {
		for _, one := range s.Backup {
			if s.Name == b.Stanza {
				all = append(all, Backup{Label: one.Label, Type: one.Type, Stop: time.Unix(one.Timestamp.Stop, 0).UTC(), Size: one.Info.Size})
			}
		}
	}
	return all, nil
}

// Verify finds the backup from which a restore can start: the named one, or
// the newest that ended before the target time, which may be zero.
func (b Backrest) Verify(ctx context.Context, label string, target time.Time) (Backup, error) {
	all, err := b.List(ctx)
	if err != nil {
		return Backup{}, err
	}
	for i := len(all) - 1; i >= 0; i-- {
		one := all[i]
		if (label == "" || one.Label == label) && (target.IsZero() || !one.Stop.After(target)) {
			return one, nil
		}
	}
	switch {
	case len(all) == 0:
		return Backup{}, fmt.Errorf("there is no backup of %s: run create-backup", b.Stanza)
	case label != "":
		return Backup{}, fmt.Errorf("there is no backup %s of %s that ended before the time to restore to: list-backups shows what there is", label, b.Stanza)
	default:
		return Backup{}, fmt.Errorf("no backup of %s ended before %s: list-backups shows what there is", b.Stanza, target.Format(time.DateTime))
	}
}

func (b Backrest) run(ctx context.Context, args ...string) (string, error) {
	all := append([]string{"pgbackrest", "--config=" + b.Config, "--stanza=" + b.Stanza}, args...)
	if b.User != "" {
		all = append([]string{"runuser", "-u", b.User, "--"}, all...)
	}
	command := exec.CommandContext(ctx, all[0], all[1:]...)
	var stderr strings.Builder
	command.Stderr = &stderr
	out, err := command.Output()
	if err != nil {
		return "", fmt.Errorf("pgbackrest %s: %w: %s%s", args[len(args)-1], err, out, stderr.String())
	}
	return string(out), nil
}
