package e2e

import (
	"fmt"
	"testing"
	"time"
)

// restore brings the cluster back to a second between two batches of rows that
// psql wrote, one commit a row, while telemetry goes on at its rate: the batch
// before is there to the last row, the batch after is not, and of the packets
// all are there that were acknowledged before that second and none that were
// sent after it.
func restore(t *testing.T, a *archive) {
	const before, after = 137, 50
	primary := a.primary(t)
	a.on(t, primary.Address, "postgres", "CREATE TABLE mark (n int, at timestamptz DEFAULT clock_timestamp())")
	began := time.Now()
	backup := a.act(t, primary.Name.String(), "create-backup")["backup-id"]
	figure("full backup", time.Since(began).Seconds(), "s", "no goal")
	if backup == "" {
		t.Fatal("create-backup names no backup")
	}
	a.marks(t, before)
	second := time.Now().UTC().Truncate(time.Second).Add(2 * time.Second)
	time.Sleep(time.Until(second.Add(time.Second)))
	a.marks(t, after)
	time.Sleep(2 * time.Second)
	a.on(t, primary.Address, "postgres", "SELECT pg_switch_wal()")
	eventually(t, time.Minute, "the chosen second is archived", func() error {
		out, err := a.sql(primary.Address, "postgres", "SELECT last_archived_time > '"+second.Add(2*time.Second).Format(time.DateTime)+"+00' FROM pg_stat_archiver")
		if err == nil && out != "t" {
			return fmt.Errorf("not yet: %q", out)
		}
		return err
	})

	began = time.Now()
	a.in.patient(t, 10*time.Minute, a.of("run", "postgresql", "restore", "restore-to-time="+second.Format(time.DateTime))...)
	a.converge(t, 5*time.Minute)
	figure("restore to a chosen second, three members", time.Since(began).Seconds(), "s", "27 s by hand on one small database")
	address := a.primary(t).Address
	if n := a.on(t, address, "postgres", "SELECT count(*) FROM mark"); n != fmt.Sprint(before) {
		t.Errorf("%s rows are restored, want exactly %d", n, before)
	}
	missing, duplicate, phantom := a.compare(t, second)
	if missing+duplicate+phantom != 0 {
		t.Errorf("of the packets up to %v: %d missing, %d duplicate, %d phantom", second, missing, duplicate, phantom)
	}
	if late := a.later(t, second, began); late != 0 {
		t.Errorf("%d packets that were first sent after %v and before the restore are in the archive", late, second)
	}
	if identifiers := a.identifiers(t); len(identifiers) != 3 || distinct(identifiers) != 1 {
		t.Errorf("members of more than one cluster: %v", identifiers)
	}
	a.streaming(t, 3, 2*time.Minute)
	a.writes(t, began, 2*time.Minute)
}

// marks inserts rows, one commit each.
func (a *archive) marks(t *testing.T, n int) {
	t.Helper()
	a.on(t, a.primary(t).Address, "postgres", fmt.Sprintf("DO $$BEGIN FOR i IN 1..%d LOOP INSERT INTO mark VALUES (i); COMMIT; END LOOP; END$$", n))
}

// later counts packets in the archive that were acknowledged between two times:
// a restore to the first of them should have undone them.
func (a *archive) later(t *testing.T, from, to time.Time) (n int) {
	t.Helper()
	rows := map[string]bool{}
	for _, id := range a.rows(t) {
		rows[id] = true
	}
	for id, at := range a.book.acked {
		if sent := a.book.sent[id]; sent.After(from) && at.Before(to) && rows[id] {
			n++
		}
	}
	return n
}
