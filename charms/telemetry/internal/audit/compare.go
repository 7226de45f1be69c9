package audit

import (
	"iter"

	"github.com/gantry-orchestrator/gantry/charms/telemetry/internal/ledger"
)

// Row is one packet as the archive holds it.
type Row struct {
	ID     ledger.ID
	Digest ledger.Digest
}

// entry is all that is known of one packet.
type entry struct {
	digest  ledger.Digest
	last    ledger.Event
	acked   bool
	unknown bool
	later   bool // a row's, and first sent in the records after the rows
	rows    int
}

// Compare audits rows by the ledger. The writer may be at work: before are the
// records that were on disk when the reading of rows began, after those that
// came until it ended. So what before acknowledges must be among the rows, and
// what is among the rows must be known to one of the two. It is an error if a
// stream ends with one.
func Compare(before iter.Seq2[ledger.Record, error], rows iter.Seq2[Row, error], after iter.Seq2[ledger.Record, error]) (Report, error) {
	var report Report
	entries := map[ledger.ID]*entry{}
	if err := report.readLedger(entries, before); err != nil {
		return Report{}, err
	}
	altered, err := report.readRows(entries, rows)
	if err != nil {
		return Report{}, err
	}
	for r, err := range after {
		if err != nil {
			return Report{}, err
		}
		if e := entries[r.ID]; e != nil && e.last == "" {
			e.later = true
			if e.digest != r.Digest {
				altered[r.ID] = true
			}
		}
	}
	report.judge(entries, altered)
	return report, nil
}

// readLedger enters the packets of records and observes their timing.
func (report *Report) readLedger(entries map[ledger.ID]*entry, records iter.Seq2[ledger.Record, error]) error {
	for r, err := range records {
		if err != nil {
			return err
		}
		e := entries[r.ID]
		if e == nil {
			e = &entry{digest: r.Digest}
			entries[r.ID] = e
		}
		e.last = r.Event
		if r.Event == ledger.Unknown {
			e.unknown = true
		}
		if r.Event.Acknowledged() {
			e.acked = true
			report.Writes.observe(r)
		}
	}
	return nil
}

// readRows counts rows into entries, makes one for each packet that has none,
// and returns the packets whose octets are not those of their entry.
func (report *Report) readRows(entries map[ledger.ID]*entry, rows iter.Seq2[Row, error]) (map[ledger.ID]bool, error) {
	altered := map[ledger.ID]bool{}
	for row, err := range rows {
		if err != nil {
			return nil, err
		}
		report.Rows++
		e := entries[row.ID]
		if e == nil {
			e = &entry{digest: row.Digest}
			entries[row.ID] = e
		}
		e.rows++
		if e.digest != row.Digest {
			altered[row.ID] = true
		}
	}
	return altered, nil
}

// judge sorts the entries into the classes of the report.
func (report *Report) judge(entries map[ledger.ID]*entry, altered map[ledger.ID]bool) {
	var missing, duplicate, phantom, changed []ledger.ID
	for id, e := range entries {
		known := e.last != ""
		if known {
			report.count(e)
		}
		if e.acked && e.rows == 0 {
			missing = append(missing, id)
		}
		if e.rows > 1 {
			duplicate = append(duplicate, id)
		}
		if !known && !e.later {
			phantom = append(phantom, id)
		} else if altered[id] {
			changed = append(changed, id)
		}
	}
	report.Missing, report.Duplicate = classOf(missing), classOf(duplicate)
	report.Phantom, report.Altered = classOf(phantom), classOf(changed)
	report.Writes.finish(report.Sent, report.Acknowledged)
}

// count takes a packet of the ledger into the figures.
func (report *Report) count(e *entry) {
	report.Sent++
	switch {
	case e.acked:
		report.Acknowledged++
	case e.last == ledger.Sent:
		report.InFlight++
	}
	if !e.unknown {
		return
	}
	u := &report.Unknown
	u.Total++
	switch e.last {
	case ledger.Found:
		u.Found++
	case ledger.Resent:
		u.Resent++
	case ledger.Dropped:
		u.Dropped++
	default:
		u.Open++
		if e.rows > 0 {
			u.OpenPresent++
		}
	}
}
