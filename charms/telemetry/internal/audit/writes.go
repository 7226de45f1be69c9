package audit

import (
	"time"

	"github.com/gantry-orchestrator/gantry/charms/telemetry/internal/ledger"
)

// Writes tells how steadily the archive took packets, by the ledger's clock.
type Writes struct {
	First            time.Time `json:"first,omitzero"` // acknowledgement
	Last             time.Time `json:"last,omitzero"`
	Seconds          float64   `json:"seconds"`
	SentRate         float64   `json:"sent-per-second"`
	AcknowledgedRate float64   `json:"acknowledged-per-second"`

	// MaxGap is the longest time in seconds without an acknowledgement
	// between the first and the last, and GapFrom when it began.
	MaxGap  float64   `json:"max-gap-seconds"`
	GapFrom time.Time `json:"gap-from,omitzero"`
}

// observe takes in the acknowledgement r. A clock that was set back makes no
// gap of its own.
func (w *Writes) observe(r ledger.Record) {
	if w.First.IsZero() {
		w.First, w.Last = r.At, r.At
	}
	if gap := r.At.Sub(w.Last).Seconds(); gap > w.MaxGap {
		w.MaxGap, w.GapFrom = gap, w.Last
	}
	if r.At.After(w.Last) {
		w.Last = r.At
	}
}

// finish computes the rates.
func (w *Writes) finish(sent, acknowledged int) {
	w.Seconds = w.Last.Sub(w.First).Seconds()
	if w.Seconds > 0 {
		w.SentRate = float64(sent) / w.Seconds
		w.AcknowledgedRate = float64(acknowledged) / w.Seconds
	}
}

func (w Writes) gapStart() string {
	if w.GapFrom.IsZero() {
		return ""
	}
	return ", from " + w.GapFrom.Format("2006-01-02 15:04:05.000 MST")
}
