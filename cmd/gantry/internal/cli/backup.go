package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gantry-orchestrator/gantry/engine/backup/archive"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

// errFailedDrill ends a drill that found a backup unfit.
var errFailedDrill = errors.New("the backup FAILED its drill: do not rely on it, and make another")

func newBackup(sh *shell) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "backup",
		Short: "Back up the controller, and try the backups out",
		Long: `Back up the controller: models, users, keys and uploaded charms, at one committed
index, in one file that gantry restore makes a controller of on any host.`,
		Args: noCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newBackupCreate(sh), newBackupList(sh), newBackupVerify(sh), newBackupSchedule(sh), newBackupDrill(sh), newBackupSettle(sh))
	return cmd
}

type backupOptions struct {
	to         string
	passphrase string
	recipients []string
}

func newBackupCreate(sh *shell) *cobra.Command {
	o := &backupOptions{}
	cmd := &cobra.Command{
		Use:   "create",
		Short: "Write a backup to a file here",
		Long: `Write a backup to a file here. Its keys are sealed to a passphrase or to an age
public key; without either the file is as secret as the keys themselves, and has
mode 0600.`,
		Example: `  gantry backup create --to /mnt/safe --passphrase-file /root/backup.pass`,
		Args:    exactly(),
		RunE:    sh.connected(o.run),
	}
	cmd.Flags().StringVar(&o.to, "to", ".", "file, or directory for a file that is named by its time")
	cmd.Flags().StringVar(&o.passphrase, "passphrase-file", "", "file with the passphrase that seals the keys")
	cmd.Flags().StringSliceVar(&o.recipients, "recipient", nil, "age public key (age1...) that opens the keys")
	return cmd
}

func (o *backupOptions) run(ctx context.Context, s *session, _ []string) error {
	request := operator.CreateBackup{Recipients: o.recipients}
	if o.passphrase != "" {
		b, err := os.ReadFile(o.passphrase)
		if err != nil {
			return fmt.Errorf("read the passphrase: %w", err)
		}
		if request.Passphrase = strings.TrimRight(string(b), "\r\n"); request.Passphrase == "" {
			return fmt.Errorf("%s is empty: %w", o.passphrase, model.ErrInvalid)
		}
	}
	var made model.Backup
	path, err := archive.Save(o.to, archive.FileName(s.Now(), 0), func(to io.Writer) (err error) {
		made, err = s.client.CreateBackup(ctx, request, to)
		return err
	})
	if err != nil {
		return err
	}
	if w, err := archive.Verify(path); err != nil || w.SHA256 != made.SHA256 {
		return fmt.Errorf("%s is not what the controller sent: back up again: %w", path, errors.Join(err, model.ErrUnavailable))
	}
	made.Path = path
	if !made.Sealed {
		fmt.Fprintf(s.Stderr, "warning: %s holds the controller's keys unsealed: keep it as you keep a key, or use --passphrase-file\n", path)
	}
	return s.answer(made, func(w io.Writer) {
		fmt.Fprintf(w, "backup %s: index %d, revision %d, %s in %s\n", made.ID, made.Index, made.Revision, sizeOf(made.Size), path)
	})
}

func sizeOf(n int64) string {
	switch {
	case n >= 10<<20:
		return fmt.Sprintf("%d MiB", n>>20)
	default:
		return fmt.Sprintf("%d KiB", (n+1023)>>10)
	}
}

func newBackupList(sh *shell) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the backups, how their drills went, and what a restore left to decide",
		Args:  exactly(),
		RunE: sh.connected(func(ctx context.Context, s *session, _ []string) error {
			list, err := s.client.ListBackups(ctx)
			if err != nil {
				return err
			}
			return s.answer(list, func(w io.Writer) { writeBackups(w, list, s.Now()) })
		}),
	}
}

func writeBackups(w io.Writer, list operator.Backups, now time.Time) {
	t := &table{}
	t.row("Backup", "Age", "Index", "Revision", "Size", "Keys", "Drill", "Where")
	for _, b := range list.Kept {
		keys, drill, where := "unsealed", "not tried", "with "+b.Author
		if b.Sealed {
			keys = "sealed"
		}
		if d := b.Drill; d != nil {
			drill = fmt.Sprintf("passed in %.1f s, %s ago", d.Took.Seconds(), now.Sub(d.Time).Round(time.Second))
			if d.Fault != "" {
				drill = "FAILED"
			}
		}
		if b.Path != "" {
			where = b.Path
		}
		t.row(b.ID, now.Sub(b.Time).Round(time.Second).String(), fmt.Sprint(b.Index), fmt.Sprint(b.Revision), sizeOf(b.Size), keys, drill, where)
	}
	t.write(w)
	if s := list.Schedule; s != nil {
		fmt.Fprintf(w, "every %v to %s, the newest %d are kept\n", s.Every, s.Dir, s.Keep)
	}
	if r := list.Restored; r != nil {
		fmt.Fprintf(w, "restored at %s from backup %s, epoch %v\n", r.Time.Format(time.RFC3339), archive.ID(r.Backup), r.Epoch)
		if r.Open {
			fmt.Fprintln(w, "what is newer than it runs on until gantry backup settle:", orNone(list.Newer))
		}
	}
	for _, alarm := range list.Alarms {
		fmt.Fprintln(w, "ALARM:", alarm)
	}
}

func orNone(list []string) string {
	if len(list) == 0 {
		return "nothing that agents have told of"
	}
	return strings.Join(list, "; ")
}

func newBackupVerify(sh *shell) *cobra.Command {
	return &cobra.Command{
		Use:   "verify FILE",
		Short: "Check every byte of a backup; needs no controller",
		Args:  exactly("a file"),
		RunE: func(_ *cobra.Command, args []string) error {
			got, err := archive.Verify(args[0])
			if err != nil {
				return err
			}
			m := got.Manifest
			return sh.answer(m, func(w io.Writer) {
				fmt.Fprintf(w, "%s is whole: gantry %s, %s, index %d, revision %d, %d models, sha256 %s\n",
					args[0], m.Gantry, m.Time.Format(time.RFC3339), m.Index, m.Revision, len(m.Models), got.SHA256)
			})
		},
	}
}

func newBackupSchedule(sh *shell) *cobra.Command {
	var off bool
	schedule := model.BackupSchedule{}
	cmd := &cobra.Command{
		Use:   "schedule",
		Short: "Have the leading controller back up to a directory of its host, and try each backup",
		Example: `  gantry backup schedule --every 6h --keep 28 --to /mnt/safe --recipient age1...
  gantry backup schedule --off`,
		Args: exactly(),
		RunE: sh.connected(func(ctx context.Context, s *session, _ []string) error {
			if off {
				schedule.Every = 0
			} else if schedule.Dir == "" {
				return fmt.Errorf("--to: name a directory of the controllers' hosts: %w", model.ErrInvalid)
			}
			if err := s.client.ScheduleBackups(ctx, schedule); err != nil {
				return err
			}
			if !off && len(schedule.Recipients) == 0 {
				fmt.Fprintf(s.Stderr, "warning: backups in %s will hold the controller's keys unsealed: give --recipient\n", schedule.Dir)
			}
			return nil
		}),
	}
	cmd.Flags().DurationVar(&schedule.Every, "every", 6*time.Hour, "time between two backups")
	cmd.Flags().IntVar(&schedule.Keep, "keep", 28, "how many to keep")
	cmd.Flags().StringVar(&schedule.Dir, "to", "", "directory, absolute, on each controller's host")
	cmd.Flags().StringSliceVar(&schedule.Recipients, "recipient", nil, "age public key (age1...) that opens the keys")
	cmd.Flags().BoolVar(&off, "off", false, "end the schedule")
	return cmd
}

func newBackupDrill(sh *shell) *cobra.Command {
	return &cobra.Command{
		Use:   "drill [FILE]",
		Short: "Restore a backup into a scratch controller and compare the states",
		Long: `Restore a backup into a scratch controller, compare the state that it comes to
with the one that was backed up, and forget it again. Without a file it is the
newest that the leading controller keeps.`,
		Args: between(0, 1, "a file"),
		RunE: sh.connected(func(ctx context.Context, s *session, args []string) error {
			var from io.Reader = strings.NewReader("")
			if len(args) == 1 {
				f, err := os.Open(args[0])
				if err != nil {
					return fmt.Errorf("open the backup: %w", err)
				}
				defer f.Close()
				if info, err := f.Stat(); err != nil || info.Size() == 0 {
					return fmt.Errorf("%s is empty: it is no backup: %w", args[0], model.ErrInvalid)
				}
				from = f
			}
			drill, err := s.client.DrillBackup(ctx, from)
			if err != nil {
				return err
			}
			err = s.answer(drill, func(w io.Writer) {
				if drill.Fault != "" {
					fmt.Fprintln(w, drill.Fault)
					return
				}
				fmt.Fprintf(w, "backup %s passed: restored and compared in %.1f s; it is %s old\n",
					drill.Backup, drill.Took.Seconds(), drill.Age.Round(time.Second))
			})
			if err == nil && drill.Fault != "" {
				err = errFailedDrill
			}
			return err
		}),
	}
}

func newBackupSettle(sh *shell) *cobra.Command {
	return &cobra.Command{
		Use:   "settle",
		Short: "Let go of what is newer than the backup that the controller was restored from",
		Long: `Let go of what is newer than the backup that the controller was restored from:
units that it does not know are taken down, machines that it does not know are
destroyed with their disks. gantry backup list shows the units. Until then all of
them run on.`,
		Args: exactly(),
		RunE: sh.connected(func(ctx context.Context, s *session, _ []string) error { return s.client.SettleRestore(ctx) }),
	}
}
