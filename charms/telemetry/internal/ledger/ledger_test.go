package ledger

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"
	"pgregory.net/rapid"

	"github.com/gantry-orchestrator/gantry/model"
)

var noon = time.Date(2026, 5, 4, 12, 0, 0, 7, time.UTC)

func record(event Event, serial uint64) Record {
	id := NewID(1, serial)
	return Record{Event: event, At: noon, ID: id, Digest: DigestOf(id[:])}
}

func collect(t testing.TB, b []byte) (records []Record, good int64, err error) {
	t.Helper()
	reader := NewReader(bytes.NewReader(b))
	for r, err := range reader.Records() {
		if err != nil {
			return records, reader.Good(), err
		}
		records = append(records, r)
	}
	return records, reader.Good(), nil
}

func open(t *testing.T, path string) (*Ledger, History) {
	t.Helper()
	l, history, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return l, history
}

func content(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestRecordsLieOnDiskWhenAppendReturns(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger")
	l, history := open(t, path)
	if len(history.Open) != 0 || len(history.Count) != 0 {
		t.Errorf("a new ledger has the history %+v", history)
	}
	const senders, each = 8, 20
	var group errgroup.Group
	for s := range uint64(senders) {
		group.Go(func() error {
			for i := range uint64(each) {
				if err := errors.Join(l.Note(record(Sent, s*each+i)), l.Append(record(Acked, s*each+i))); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	if l.durable != l.written {
		t.Errorf("%d of %d records are durable", l.durable, l.written)
	}
	records, _, err := collect(t, content(t, path))
	if err != nil || len(records) != 2*senders*each {
		t.Errorf("%d records with error %v, want %d", len(records), err, 2*senders*each)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

func TestASecondWriterIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger")
	first, _ := open(t, path)
	if _, _, err := Open(path); !errors.Is(err, model.ErrConflict) {
		t.Errorf("error %v, want a conflict", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second, _ := open(t, path)
	if err := second.Close(); err != nil {
		t.Error(err)
	}
}

func TestOpenCutsATornTailAndGoesOn(t *testing.T) {
	whole := appendRecord(appendRecord(nil, record(Sent, 1)), record(Sent, 2))
	line := appendRecord(nil, record(Acked, 1))
	for name, tail := range map[string][]byte{
		"no tail":                      nil,
		"a line without its newline":   line[:len(line)-1],
		"half a line":                  line[:len(line)/2],
		"blocks that were not written": append(make([]byte, 5000), '\n'),
		"two damaged lines":            []byte("acked\nacked 1 2 3\n"),
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "ledger")
			if err := os.WriteFile(path, append(bytes.Clone(whole), tail...), 0o600); err != nil {
				t.Fatal(err)
			}
			l, history := open(t, path)
			if diff := cmp.Diff([]Record{record(Sent, 1), record(Sent, 2)}, history.Open); diff != "" {
				t.Errorf("open packets (-want +got):\n%s", diff)
			}
			if err := errors.Join(l.Append(record(Acked, 2)), l.Close()); err != nil {
				t.Fatal(err)
			}
			if got, want := content(t, path), appendRecord(bytes.Clone(whole), record(Acked, 2)); !bytes.Equal(got, want) {
				t.Errorf("the ledger is\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func TestDamageBeforeAGoodRecordIsAnError(t *testing.T) {
	b := appendRecord(appendRecord(appendRecord(nil, record(Sent, 1)), record(Sent, 2)), record(Sent, 3))
	b[len(b)/2] ^= 1
	records, _, err := collect(t, b)
	if !errors.Is(err, model.ErrInvalid) || len(records) != 1 {
		t.Errorf("%d records with error %v, want 1 and an error", len(records), err)
	}
}

func TestAnyCutLeavesTheWholeRecordsBeforeIt(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var b []byte
		var all []Record
		var ends []int
		for range rapid.IntRange(0, 6).Draw(rt, "n") {
			r := record(rapid.SampledFrom(events).Draw(rt, "event"), rapid.Uint64().Draw(rt, "serial"))
			r.At = time.Unix(0, rapid.Int64Range(0, 1<<62).Draw(rt, "at")).UTC()
			all = append(all, r)
			b = appendRecord(b, r)
			ends = append(ends, len(b))
		}
		cut := rapid.IntRange(0, len(b)).Draw(rt, "cut")
		whole, good := 0, 0
		for whole < len(ends) && ends[whole] <= cut {
			good = ends[whole]
			whole++
		}
		got, end, err := collect(t, b[:cut])
		if err != nil || end != int64(good) {
			rt.Fatalf("good to %d with error %v, want %d", end, err, good)
		}
		if len(got) != whole || (whole > 0 && !cmp.Equal(got, all[:whole])) {
			rt.Fatalf("records %v, want %v", got, all[:whole])
		}
	})
}

func TestOneChangedBitIsSeen(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		b := appendRecord(nil, record(Acked, rapid.Uint64().Draw(rt, "serial")))
		b[rapid.IntRange(0, len(b)-2).Draw(rt, "at")] ^= 1 << rapid.IntRange(0, 7).Draw(rt, "bit")
		if got, _, _ := collect(t, b); len(got) != 0 {
			rt.Fatalf("%q reads as %+v", b, got)
		}
	})
}

func TestHistoryLeavesOpenWhatHasNoFinalEvent(t *testing.T) {
	records := []Record{
		record(Sent, 1), record(Sent, 2), record(Sent, 3), record(Sent, 4), record(Sent, 5), record(Sent, 6),
		record(Acked, 1),
		record(Unknown, 2), record(Found, 2),
		record(Unknown, 3), record(Absent, 3), record(Resent, 3),
		record(Unknown, 4), record(Absent, 4),
		record(Unknown, 5), record(Absent, 5), record(Dropped, 5),
	}
	got, err := HistoryOf(func(yield func(Record, error) bool) {
		for _, r := range records {
			if !yield(r, nil) {
				return
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	want := History{
		Count: map[Event]int{Sent: 6, Acked: 1, Unknown: 4, Found: 1, Absent: 3, Resent: 1, Dropped: 1},
		Open:  []Record{record(Absent, 4), record(Sent, 6)},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("history (-want +got):\n%s", diff)
	}
}

func TestParseIDTakesOnlyWhatStringWrites(t *testing.T) {
	id := NewID(0x0102030405060708, 9)
	if id.String() != "01020304-0506-0708-0000-000000000009" {
		t.Errorf("written as %v", id)
	}
	if back, err := ParseID(id.String()); err != nil || back != id {
		t.Errorf("%v with error %v, want %v", back, err, id)
	}
	for _, text := range []string{"", "01020304050607080000000000000009", "01020304-0506-0708-0000-00000000000G", "0102030A-0506-0708-0000-000000000009"} {
		if _, err := ParseID(text); !errors.Is(err, model.ErrInvalid) {
			t.Errorf("%q: error %v, want it refused", text, err)
		}
	}
}
