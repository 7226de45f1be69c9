package audit

import (
	"fmt"
	"io"
	"slices"

	"github.com/gantry-orchestrator/gantry/charms/telemetry/internal/ledger"
)

// named is how many packets of a class a report names; the rest it counts.
const named = 20

// Report is the outcome of an audit.
type Report struct {
	Sent         int `json:"sent"`
	Acknowledged int `json:"acknowledged"`
	InFlight     int `json:"in-flight"` // sent, and no outcome recorded yet
	Rows         int `json:"rows"`

	Missing   Class `json:"missing"`   // acknowledged, and not in the archive
	Duplicate Class `json:"duplicate"` // in the archive more than once
	Phantom   Class `json:"phantom"`   // in the archive, and never sent
	Altered   Class `json:"altered"`   // in the archive with other octets

	Unknown Unknown `json:"unknown"`
	Writes  Writes  `json:"writes"`
}

// Class is a set of packets that share a fault.
type Class struct {
	Count int      `json:"count"`
	First []string `json:"first,omitempty"` // the lowest IDs
}

// Unknown tells what became of the packets that were sent when the connection
// was lost. Their numbers are no faults.
type Unknown struct {
	Total       int `json:"total"`
	Found       int `json:"found"`        // a look-up saw them in the archive
	Resent      int `json:"resent"`       // a look-up did not, so they were sent again
	Dropped     int `json:"dropped"`      // a look-up did not, and their run had ended
	Open        int `json:"open"`         // not looked up yet
	OpenPresent int `json:"open-present"` // of those, seen by this audit
}

// Faults returns the number of packets with a fault.
func (r Report) Faults() int {
	return r.Missing.Count + r.Duplicate.Count + r.Phantom.Count + r.Altered.Count
}

// Summarize writes r for people.
func (r Report) Summarize(w io.Writer) error {
	verdict := "the archive agrees with the ledger"
	if n := r.Faults(); n > 0 {
		verdict = fmt.Sprintf("the archive differs from the ledger in %d packets", n)
	}
	_, err := fmt.Fprintf(w, `%s
packets    %d sent, %d acknowledged, %d in flight; %d rows
faults     %d missing, %d duplicate, %d phantom, %d altered
unknown    %d: %d found, %d resent, %d dropped, %d open (%d of them present)
rate       %.1f sent, %.1f acknowledged a second over %.1f s
write gap  %.3f s at most%s
`,
		verdict,
		r.Sent, r.Acknowledged, r.InFlight, r.Rows,
		r.Missing.Count, r.Duplicate.Count, r.Phantom.Count, r.Altered.Count,
		r.Unknown.Total, r.Unknown.Found, r.Unknown.Resent, r.Unknown.Dropped, r.Unknown.Open, r.Unknown.OpenPresent,
		r.Writes.SentRate, r.Writes.AcknowledgedRate, r.Writes.Seconds,
		r.Writes.MaxGap, r.Writes.gapStart())
	return err
}

// classOf returns the class of ids, which it sorts.
func classOf(ids []ledger.ID) Class {
	slices.SortFunc(ids, ledger.ID.Compare)
	c := Class{Count: len(ids)}
	for _, id := range ids[:min(named, len(ids))] {
		c.First = append(c.First, id.String())
	}
	return c
}
