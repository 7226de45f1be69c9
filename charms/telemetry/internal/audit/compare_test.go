package audit

import (
	"errors"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/gantry-orchestrator/gantry/charms/telemetry/internal/ledger"
)

var start = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

func id(serial uint64) ledger.ID { return ledger.NewID(1, serial) }

func digest(serial uint64) ledger.Digest { return ledger.DigestOf([]byte{byte(serial)}) }

func row(serial uint64) Row { return Row{ID: id(serial), Digest: digest(serial)} }

// history gives packet serial the events, one a second from second on.
func history(serial uint64, second int, events ...ledger.Event) (records []ledger.Record) {
	for i, e := range events {
		at := start.Add(time.Duration(second+i) * time.Second)
		records = append(records, ledger.Record{Event: e, At: at, ID: id(serial), Digest: digest(serial)})
	}
	return records
}

func join(parts ...[]ledger.Record) (all []ledger.Record) {
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

func stream[T any](values []T, end error) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, v := range values {
			if !yield(v, nil) {
				return
			}
		}
		if end != nil {
			var none T
			yield(none, end)
		}
	}
}

func class(serials ...uint64) Class {
	c := Class{Count: len(serials)}
	for _, s := range serials {
		c.First = append(c.First, id(s).String())
	}
	return c
}

func TestCompare(t *testing.T) {
	acked := func(serial uint64) []ledger.Record { return history(serial, 0, ledger.Sent, ledger.Acked) }
	for name, test := range map[string]struct {
		before, after []ledger.Record
		rows          []Row
		want          Report
	}{
		"an acknowledged packet that is archived once is no fault": {
			before: acked(1), rows: []Row{row(1)},
			want: Report{Sent: 1, Acknowledged: 1, Rows: 1},
		},
		"an acknowledged packet that is not archived is missing": {
			before: join(acked(1), acked(2)), rows: []Row{row(1)},
			want: Report{Sent: 2, Acknowledged: 2, Rows: 1, Missing: class(2)},
		},
		"a packet archived twice is a duplicate": {
			before: acked(1), rows: []Row{row(1), row(1)},
			want: Report{Sent: 1, Acknowledged: 1, Rows: 2, Duplicate: class(1)},
		},
		"a packet of unknown outcome archived twice is a duplicate too": {
			before: history(1, 0, ledger.Sent, ledger.Unknown), rows: []Row{row(1), row(1)},
			want: Report{Sent: 1, Rows: 2, Duplicate: class(1), Unknown: Unknown{Total: 1, Open: 1, OpenPresent: 1}},
		},
		"a packet that was never sent is a phantom": {
			before: acked(1), rows: []Row{row(1), row(2)},
			want: Report{Sent: 1, Acknowledged: 1, Rows: 2, Phantom: class(2)},
		},
		"a packet with other octets is altered": {
			before: acked(1), rows: []Row{{ID: id(1), Digest: digest(9)}},
			want: Report{Sent: 1, Acknowledged: 1, Rows: 1, Altered: class(1)},
		},
		"a packet sent without an outcome is in flight, archived or not": {
			before: join(history(1, 0, ledger.Sent), history(2, 0, ledger.Sent)), rows: []Row{row(1)},
			want: Report{Sent: 2, InFlight: 2, Rows: 1},
		},
		"a found or resent packet is acknowledged and must be archived": {
			before: join(history(1, 0, ledger.Sent, ledger.Unknown, ledger.Found), history(2, 0, ledger.Sent, ledger.Unknown, ledger.Absent, ledger.Resent)),
			want:   Report{Sent: 2, Acknowledged: 2, Missing: class(1, 2), Unknown: Unknown{Total: 2, Found: 1, Resent: 1}},
		},
		"a dropped packet need not be archived": {
			before: history(1, 0, ledger.Sent, ledger.Unknown, ledger.Absent, ledger.Dropped),
			want:   Report{Sent: 1, Unknown: Unknown{Total: 1, Dropped: 1}},
		},
		"a packet found absent and not sent again yet is open": {
			before: history(1, 0, ledger.Sent, ledger.Unknown, ledger.Absent),
			want:   Report{Sent: 1, Unknown: Unknown{Total: 1, Open: 1}},
		},
		"a packet sent while the rows were read is no phantom": {
			before: acked(1), after: acked(2), rows: []Row{row(1), row(2)},
			want: Report{Sent: 1, Acknowledged: 1, Rows: 2},
		},
		"a packet acknowledged while the rows were read is not missing": {
			before: history(1, 0, ledger.Sent), after: history(1, 1, ledger.Acked),
			want: Report{Sent: 1, InFlight: 1},
		},
		"a packet sent while the rows were read can be altered": {
			after: acked(1), rows: []Row{{ID: id(1), Digest: digest(9)}},
			want: Report{Rows: 1, Altered: class(1)},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Compare(stream(test.before, nil), stream(test.rows, nil), stream(test.after, nil))
			if err != nil {
				t.Fatal(err)
			}
			got.Writes = Writes{}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("report (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCompareEndsWithTheErrorOfAStream(t *testing.T) {
	broken := errors.New("broken")
	var none []ledger.Record
	for name, compare := range map[string]func() (Report, error){
		"before": func() (Report, error) {
			return Compare(stream(none, broken), stream[Row](nil, nil), stream(none, nil))
		},
		"rows": func() (Report, error) {
			return Compare(stream(none, nil), stream[Row](nil, broken), stream(none, nil))
		},
		"after": func() (Report, error) {
			return Compare(stream(none, nil), stream[Row](nil, nil), stream(none, broken))
		},
	} {
		if _, err := compare(); !errors.Is(err, broken) {
			t.Errorf("%s: error %v, want the stream's", name, err)
		}
	}
}

func TestWritesMeasureTheLongestGapAndTheRates(t *testing.T) {
	records := join(
		history(1, 0, ledger.Sent, ledger.Acked),                    // acknowledged at 1
		history(2, 1, ledger.Sent, ledger.Acked),                    // at 2
		history(3, 2, ledger.Sent, ledger.Unknown, ledger.Found),    // at 4
		history(4, 2, ledger.Sent, ledger.Acked),                    // at 3: the clock was set back
		history(5, 10, ledger.Sent, ledger.Unknown, ledger.Unknown), // never
		history(6, 10, ledger.Sent, ledger.Acked),                   // at 11
	)
	got, err := Compare(stream(records, nil), stream[Row](nil, nil), stream[ledger.Record](nil, nil))
	if err != nil {
		t.Fatal(err)
	}
	want := Writes{
		First: start.Add(time.Second), Last: start.Add(11 * time.Second), Seconds: 10,
		SentRate: 0.6, AcknowledgedRate: 0.5, MaxGap: 7, GapFrom: start.Add(4 * time.Second),
	}
	if diff := cmp.Diff(want, got.Writes); diff != "" {
		t.Errorf("writes (-want +got):\n%s", diff)
	}
}

func TestPlantedFaultsAreFoundAndNoOthers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var before, after []ledger.Record
		var rows []Row
		var missing, duplicate, phantom, altered int
		for serial := range uint64(rapid.IntRange(0, 40).Draw(t, "packets")) {
			records := history(serial, int(serial), rapid.SampledFrom([][]ledger.Event{
				{ledger.Sent, ledger.Acked},
				{ledger.Sent, ledger.Unknown, ledger.Found},
				{ledger.Sent, ledger.Unknown, ledger.Absent, ledger.Resent},
			}).Draw(t, "events")...)
			split := len(records)
			if rapid.Bool().Draw(t, "live") {
				split = rapid.IntRange(0, len(records)-1).Draw(t, "split")
			}
			before, after = append(before, records[:split]...), append(after, records[split:]...)
			switch rapid.IntRange(0, 5).Draw(t, "fate") {
			case 0:
				if split == len(records) {
					missing++
				}
			case 1:
				duplicate++
				rows = append(rows, row(serial), row(serial))
			case 2:
				altered++
				rows = append(rows, Row{ID: id(serial), Digest: digest(serial + 1)})
			case 3:
				phantom++
				rows = append(rows, row(serial), row(serial+1000))
			default:
				rows = append(rows, row(serial))
			}
		}
		got, err := Compare(stream(before, nil), stream(rapid.Permutation(rows).Draw(t, "order"), nil), stream(after, nil))
		if err != nil {
			t.Fatal(err)
		}
		if got.Missing.Count != missing || got.Duplicate.Count != duplicate || got.Phantom.Count != phantom || got.Altered.Count != altered {
			t.Fatalf("%d missing, %d duplicate, %d phantom, %d altered planted; found %+v", missing, duplicate, phantom, altered, got)
		}
		if got.Faults() != missing+duplicate+phantom+altered {
			t.Fatalf("%d faults of %+v", got.Faults(), got)
		}
	})
}

func TestAReportNamesTheLowestPacketsAndCountsTheRest(t *testing.T) {
	var records []ledger.Record
	for serial := range uint64(30) {
		records = append(records, history(29-serial, 0, ledger.Sent, ledger.Acked)...)
	}
	got, err := Compare(stream(records, nil), stream[Row](nil, nil), stream[ledger.Record](nil, nil))
	if err != nil {
		t.Fatal(err)
	}
	if got.Missing.Count != 30 || len(got.Missing.First) != 20 || got.Missing.First[0] != id(0).String() {
		t.Errorf("missing %+v, want 30 with the first 20 named from 0 on", got.Missing)
	}
	var text strings.Builder
	if err := got.Summarize(&text); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(text.String(), "differs from the ledger in 30 packets") {
		t.Errorf("summary does not give the verdict:\n%s", text.String())
	}
}
